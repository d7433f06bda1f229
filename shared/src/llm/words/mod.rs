//! The normal form's words, read for the formats that have others: each value is checked once, and what is wrong with
//! it is said in terms of the parameter that holds it.

pub(super) use answer_form::AnswerForm;
pub(super) use data_url::DataUrl;
pub(super) use effort::effort;
pub(super) use parameters::Parameters;
pub(super) use tools::{Function, ToolChoice, arguments};

mod answer_form;
mod data_url;
mod effort;
mod parameters;
mod tools;

use super::{Prompt, ProviderError, Role};

/// How many messages at the beginning are the system prompt.
pub(super) fn system_messages(prompt: &Prompt) -> usize {
    prompt.messages.iter().take_while(|message| matches!(message.role, Role::System | Role::Developer)).count()
}

/// The sampling temperature.
///
/// # Errors
/// `Unsupported` if it is a number that JSON can't write.
pub(super) fn temperature(prompt: &Prompt) -> Result<Option<f64>, ProviderError> {
    match prompt.temperature {
        Some(temperature) if !temperature.is_finite() => {
            Err(ProviderError::unsupported("temperature", "the temperature is not finite"))
        }
        temperature => Ok(temperature),
    }
}
