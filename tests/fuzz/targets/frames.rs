//! What comes over the socket: the inbox takes bytes in any pieces to the same lines, and a frame
//! that is read is written and read again as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oam_wire::buffer::Inbox;
use oam_wire::frame::{FrameFault, LIMIT, brief, encode, reply, request};

fn lines(data: &[u8], piece: usize) -> Vec<Result<Vec<u8>, FrameFault>> {
    let (mut inbox, mut out) = (Inbox::new(), Vec::new());
    for bytes in data.chunks(piece) {
        inbox.take(bytes);
        loop {
            match inbox.next_line() {
                Ok(Some(line)) => out.push(Ok(line.bytes().to_vec())),
                Ok(None) => break,
                Err(fault) => {
                    out.push(Err(fault));
                    return out;
                }
            }
        }
    }
    out
}

fuzz_target!(|data: &[u8]| {
    let [piece, data @ ..] = data else {
        return;
    };
    let whole = lines(data, data.len().max(1));
    // At least a kilobyte at a time for long inputs: the search is repeated for each piece.
    let piece = usize::from(*piece) + 1 + data.len() / 64;
    assert!(whole == lines(data, piece), "pieces make other lines");
    for line in whole.iter().flatten() {
        assert!(line.len() < LIMIT);
    }
    let rest = [data.to_vec()];
    for line in whole.iter().flatten().chain(&rest) {
        if let Ok(frame) = request(line)
            && let Ok(written) = encode(&frame)
        {
            let line = written.bytes().trim_ascii_end();
            let again = request(line).expect("what is written is read");
            assert!(encode(&again).is_ok_and(|again| again.bytes() == written.bytes()));
        }
        let full = reply(line);
        if let Ok(frame) = &full
            && let Ok(written) = encode(frame)
        {
            let line = written.bytes().trim_ascii_end();
            let again = reply(line).expect("what is written is read");
            assert!(encode(&again).is_ok_and(|again| again.bytes() == written.bytes()));
            assert!(
                brief(line).is_ok(),
                "the helper reads what the agent writes"
            );
        }
        if let Err(FrameFault::Version { version, .. }) = full.map(drop).and(brief(line).map(drop))
        {
            assert!(version.len() <= 32 && version.is_ascii());
        }
    }
});
