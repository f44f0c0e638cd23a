//! What real providers, hubs and machines were seen to do, one case each.

mod error_answer_without_iss;
mod two_agents_one_state;
