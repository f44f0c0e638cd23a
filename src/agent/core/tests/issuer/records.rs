//! What the organization holds of the log, also when its database is another one than before.

use super::*;

type Sent = (Upload, Answer<UploadAnswer>);

impl TestAgent {
    /// The batch that was sent last.
    async fn batch(&mut self) -> Sent {
        self.settle().await;
        let sent = self.issuer().uploads.borrow_mut().pop();
        sent.expect("a batch")
    }

    /// Answers that the log is held up to `seq`.
    async fn holds(&mut self, answer: Answer<UploadAnswer>, seq: u64) {
        let hash = |line: &String| line[line.len() - 66..line.len() - 2].to_owned();
        let at = usize::try_from(seq).unwrap().checked_sub(1);
        let held_hash = at.map_or(oam_audit::record::GENESIS.to_owned(), |at| {
            hash(&self.fake.lines.borrow()[at])
        });
        let said = UploadAnswer {
            v: VERSION,
            head: None,
            held_seq: seq,
            held_hash,
            alarm: None,
        };
        answer.send(Ok(said)).ok().unwrap();
        self.settle().await;
    }

    /// All that is written is held.
    async fn all_held(&mut self) -> u64 {
        self.wait(1_000).await;
        self.wait(3_000).await;
        let (upload, answer) = self.batch().await;
        self.holds(answer, upload.head_seq).await;
        upload.head_seq
    }

    fn held(&self) -> Option<u64> {
        let held = crate::audit_upload::held_at(&self.core.org_sessions);
        held.first().map(|held| held.sequence)
    }
}

#[test]
fn a_new_database_gets_all_records_again_and_a_backup_those_that_it_lacks() {
    for kept in [0, 1] {
        story(async move {
            let mut agent = TestAgent::at_issuer().await;
            let before = agent.all_held().await;
            // A record more, which goes on from where the organization stood.
            let _refused = agent.get_of("other/model");
            agent.wait(1_000).await;
            agent.wait(3_000).await;
            let (next, answer) = agent.batch().await;
            assert_eq!((next.after_seq, next.lines.len()), (before, 1));
            agent.holds(answer, kept).await;
            // What `oam log --verify` tells is what is held, and no more.
            assert_eq!(agent.held(), (kept > 0).then_some(kept));
            agent.wait(0).await;
            let (again, answer) = agent.batch().await;
            assert_eq!(again.after_seq, kept);
            assert_eq!(again.lines.len() as u64, again.head_seq - kept);
            let lacking: Vec<String> = {
                let lines = agent.fake.lines.borrow();
                lines[usize::try_from(kept).unwrap()..].to_vec()
            };
            assert_eq!(again.lines, lacking);
            agent.holds(answer, again.head_seq).await;
            assert_eq!(agent.held(), Some(before + 1));
        });
    }
}

#[test]
fn with_nothing_to_send_what_is_held_is_asked_once_on_each_connection() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let all = agent.all_held().await;
        agent.beat(0).await;
        agent.wait(3_000).await;
        let (asked, answer) = agent.batch().await;
        assert_eq!((asked.after_seq, asked.lines.len()), (all, 0));
        agent.holds(answer, all).await;
        for _ in 0..4 {
            agent.wait(15_000).await;
            agent.beat(0).await;
        }
        assert!(agent.issuer().uploads.borrow().is_empty(), "asked again");
        assert_eq!(
            agent.status().orgs[0].records.clone().unwrap().trouble,
            None
        );

        // The issuer is begun anew: its connections break.
        let feed = agent.issuer().feeds.borrow_mut().pop().unwrap();
        feed.end.send(Err(lost())).ok().unwrap();
        agent.settle().await;
        while agent.issuer().feeds.borrow().is_empty() {
            agent.wait(1_000).await;
        }
        agent.beat(0).await;
        agent.wait(3_000).await;
        let (asked, answer) = agent.batch().await;
        assert_eq!(asked.after_seq, all);
        agent.holds(answer, 0).await;
        assert_eq!(agent.held(), None);
        agent.wait(0).await;
        let (again, _) = agent.batch().await;
        assert_eq!((again.after_seq, again.lines.len() as u64), (0, all));
    });
}
