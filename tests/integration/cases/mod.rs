//! What real providers, hubs and machines were seen to do, one case each.

mod auth_time_later;
mod discovery_optional_members;
mod error_answer_without_iss;
mod extraheader_left_over;
mod five_providers;
mod groups_nested_rfc8693;
mod groups_shapes;
mod helper_in_the_repository;
mod hub_below_a_path;
mod issuer_clock_behind;
mod refresh_200_without_tokens;
mod repository_name_characters;
mod same_kid_new_key;
mod scope_as_list;
mod two_agents_one_state;
mod wrapped_hf;
