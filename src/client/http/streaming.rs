//! An answer that does not end: its head is awaited under a deadline, its body comes in parts.

use super::fault::ok_of_issuer;
use super::{Answer, Http, Via};
use bytes::Bytes;
use oam_http::{collect, content_type, fault};
use oam_model::answer::EndpointFault;
use reqwest::header::HeaderMap;
use std::time::Duration;

/// An open answer. Dropping it closes the connection.
pub struct Streaming(reqwest::Response);

impl Http {
    /// One GET of server-sent events with these headers besides. `head`: how long its head may take.
    ///
    /// # Errors
    /// As [`Http::post`]; every status but 200, and a body that is no event stream.
    pub async fn stream(
        &self,
        via: &Via,
        url: &str,
        headers: HeaderMap,
        head: Duration,
    ) -> Result<Streaming, EndpointFault> {
        let (client, url) = self.client.client(via, url, self.now())?;
        let request = client
            .get(url)
            .headers(headers)
            .header(reqwest::header::ACCEPT, "text/event-stream");
        // A deadline for the whole, as short requests have one, would cut the stream.
        let asked = async {
            let response = request.send().await.map_err(|e| fault::of(&e))?;
            if response.status().as_u16() != 200 {
                return match ok_of_issuer(collect(response).await?) {
                    Err(fault) => Err(fault),
                    Ok(Answer { .. }) => Err(unexpected()),
                };
            }
            if content_type(response.headers()) != "text/event-stream" {
                return Err(unexpected());
            }
            Ok(Streaming(response))
        };
        tokio::time::timeout(head, asked).await.unwrap_or_else(|_| {
            Err(EndpointFault::Lost {
                why: "no answer in time".into(),
            })
        })
    }
}

impl Streaming {
    /// The next part; none at the end.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn next(&mut self) -> Result<Option<Bytes>, EndpointFault> {
        self.0.chunk().await.map_err(|e| fault::lost(&e))
    }
}

fn unexpected() -> EndpointFault {
    EndpointFault::Unreadable {
        why: "the answer is not an event stream".into(),
    }
}
