//! What every implementation of [`super::Store`] must do.
