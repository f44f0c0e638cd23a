//! Everything outside the agent.
