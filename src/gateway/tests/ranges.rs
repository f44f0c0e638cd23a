//! Many requests at once, as clients of large files make them.

use super::Stage;
use super::hub::{telling, with};
use axum::extract::Request;
use axum::response::Response;

const PARTS: usize = 64;
const LENGTH: usize = 64 * 1024;

fn content() -> Vec<u8> {
    (0..PARTS * LENGTH)
        .map(|at| u8::try_from(at / 7 % 251).unwrap())
        .collect()
}

/// The part of the content that a request's `Range` names.
fn part(request: &Request) -> Response {
    let range = request.headers()["range"].to_str().unwrap();
    let (first, last) = range["bytes=".len()..].split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    let mut response = with(206, content()[first..=last].to_vec());
    let told = format!("bytes {first}-{last}/{}", PARTS * LENGTH);
    response
        .headers_mut()
        .insert("content-range", told.parse().unwrap());
    response
}

#[tokio::test]
async fn ranges_that_are_asked_for_at_once_come_back_each_as_it_was_asked_for() {
    let (routes, seen) = telling(part);
    let stage = Stage::before(routes).await;
    let asked = (0..PARTS).map(|number| {
        let (first, last) = (number * LENGTH, (number + 1) * LENGTH - 1);
        let range = format!("bytes={first}-{last}");
        let request = stage
            .request("GET", "/acme/model/resolve/main/weights.bin")
            .header("range", &range);
        tokio::spawn(async move {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 206);
            let told = answer.headers()["content-range"].to_str().unwrap();
            assert_eq!(
                told,
                format!("bytes {first}-{last}/{}", PARTS * LENGTH),
                "{range}"
            );
            answer.bytes().await.unwrap()
        })
    });
    let asked: Vec<_> = asked.collect();
    let mut whole = Vec::new();
    for part in asked {
        whole.extend_from_slice(&part.await.unwrap());
    }
    assert!(whole == content());
    assert_eq!(seen.lock().unwrap().len(), PARTS);
    let served = stage.gateway.counts().served();
    let total = u64::try_from(PARTS * LENGTH).unwrap();
    assert_eq!(
        (
            served.repositories[0].reads,
            served.repositories[0].received
        ),
        (64, total)
    );
}
