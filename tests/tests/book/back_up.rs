//! Stores are backed up and restored as the page says; then what the page promises of changes before and after is looked at.

use std::net::TcpListener;
use std::os::unix::fs::symlink;

use esoz_test_servers::raw::{KafkaTopic, SqliteFile};
use esoz_test_servers::sqlite_shell;
use esoz_testkit::contract::Delivered as _;
use esoz_testkit::wait::wait_for;
use esoz_tests::DEADLINE;
use esoz_tests::process::program;

use crate::page::{Block, Page};
use crate::prepare_servers::Prepared;
use crate::shell::{Shell, looks_like};
use crate::walkthrough::walk;

fn page(chapters: &[&str]) -> Page {
    Page::of_book("how-to/back-up.md").chapters(chapters)
}

/// The chapter with the queries for lost changes, and the time that stands in them.
const LOST: &str = "What a restore to an earlier time changes";
const TIME: &str = "2026-12-01T02:00:00Z";

/// The chapter that both restores end with.
const START: &str = "Start on restored data";

/// In the place of systemd's: a server gets the variables of its unit (those that the test sets) and of its drop-ins, and none of the shell's.
/// The unit runs `$SERVE`; `$AT` leads `esoz health` to it.
const SYSTEMCTL: &str = r#"
UNIT=$(env | grep ^ESOZ_)
systemctl() {
  case $1 in
    daemon-reload) DROP_INS=$(sed -n s/^Environment=//p systemd/esoz.service.d/*.conf) ;;
    start)
      env -i PATH="$PATH" $UNIT $DROP_INS $SERVE > served.txt 2>> server.log &
      SERVER=$!
      until esoz health $AT > health.json 2> health.log; do sleep 0.2; done ;;
    show) echo $SERVER ;;
    stop) kill $SERVER; wait $SERVER ;;
  esac
}
"#;

/// How to ask for a dispense.
const SHOW: &str =
    r#"show() { curl -sS "$DISPENSES/$1" -H "$TOKEN" | grep -o '"status":"[a-z_]*"' | tail -1; }"#;

#[test]
fn a_sqlite_file_goes_back_to_its_copy() {
    let (folder, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(program(), programs.path().join("esoz")).unwrap();
    symlink(sqlite_shell().unwrap(), programs.path().join("sqlite3")).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut shell = Shell::start(folder.path(), programs.path());
    shell.run(&format!("export ESOZ_HTTP__BIND={free} ESOZ_HTTP__WORKERS=1 ESOZ_HTTP__MAX_CONNECTIONS=100"));
    let names = [
        ("127.0.0.1:8080", free.as_str()),
        ("esoz.sqlite", "day/store/esoz.sqlite"),
        ("esoz-media", "day/store/signed"),
        ("/etc/systemd/system", "systemd"),
    ];
    // given: a dispense that was recorded with a key, and completed by a signed document
    let morning = [
        "Before the doors open",
        "A patient comes with a request",
        "The patient pays and takes the packages",
    ];
    walk(&Page::of_book("how-to/a-pharmacys-day.md").chapters(&morning), &mut shell, &names[..1], |_, _| {
        false
    });
    shell.run(SHOW);
    shell.run(SYSTEMCTL);
    shell.run("SERVE='esoz demo --folder day/store'");
    // Copies that are the same want a server that has nothing left to write.
    shell.run("until esoz doctor | grep 'outbox: 0 events' > outbox; do sleep 0.1; done");
    let chapters = page(&["One SQLite file", START]);
    let compared = walk(&chapters, &mut shell, &names, |shell, Block { text, .. }| {
        if text.trim() == "systemctl stop esoz" {
            let store = folder.path().join("day/store");
            let copies = ["copy.sqlite", "compact.sqlite", "loaded.sqlite"];
            let dumps = copies.map(|copy| SqliteFile::new(&folder.path().join(copy)).dump());
            assert!(dumps.iter().all(|dump| *dump == SqliteFile::new(&store.join("esoz.sqlite")).dump()));
            let stopped = shell.run(r#"curl -sS -X PATCH "$DISPENSES/$SECOND/actions/stop" -H "$TOKEN" > stopped.json; show $SECOND"#);
            assert_eq!(stopped, r#""status":"stopped""#);
            shell.run("until esoz doctor | grep 'outbox: 0 events' > outbox; do sleep 0.1; done");
        }
        false
    });
    assert_eq!(compared, 3);
    // then
    assert_eq!(
        shell.run("show $FIRST; show $SECOND"),
        "\"status\":\"completed\"\n\"status\":\"in_progress\""
    );
    let again = shell.run("record $KEY $FIRST 1 380");
    assert!(looks_like(&again, r#"{"meta":{"code":201,…"#), "{again}");
    // The file that was set aside tells what was lost.
    let time = shell.run("cat copy.time");
    let lost = page(&[LOST]).only_block("sh").replace(TIME, &time);
    let lost = shell.run(&lost);
    assert!(lost.ends_with(&format!("{}|stopped", shell.run("echo $SECOND"))), "{lost}");
    let documents = shell.run("diff -r day/store/signed media-copy && find media-copy -type f | wc -l");
    assert_eq!(documents.trim(), "1");
}

/// Three dispenses: one is stopped before the backup; one whose event waits then; one is stopped after the backup.
const DISPENSES: &str = r#"
BEFORE=29dc859e-37fa-481d-8526-e95ac76036dd
WAITING=29dc859e-37fa-481d-8526-e95ac7603601
AFTER=29dc859e-37fa-481d-8526-e95ac7603602
for id in $WAITING $AFTER; do grep "\"device_dispense\".*$BEFORE" demo.ndjson | sed s/$BEFORE/$id/; done > further.ndjson
esoz import --config esoz.toml demo.ndjson further.ndjson > imported
show() { curl -sS -H "Authorization: Bearer $(cat token)" http://127.0.0.1:8080/api/patients/aff00bf6-68bf-4b49-b66d-f031d48922b3/device_dispenses/$1; }
status() { show $1 | grep -o '"status":"[a-z_]*"' | tail -1; }
stop() { curl -sS -o stopped.json -w '%{http_code}\n' -X PATCH -H "X-Idempotency-Key: $2" -H "Authorization: Bearer $(cat token)" \
  http://127.0.0.1:8080/api/patients/aff00bf6-68bf-4b49-b66d-f031d48922b3/device_dispenses/$1/actions/stop; }
events() { curl -sS -H "Authorization: Bearer $(cat token)" http://127.0.0.1:8080/api/events | grep -o "\"entity_id\":\"$1\"" | wc -l; }
delivered() { until test "$(events $1)" = $2; do sleep 0.1; done; }
esoz token issue --config esoz.toml --scope device_dispense:read \
  --user 5b0c2a50-6f0e-4a6e-9a62-0d3f1c7e9b01 --client 1f6f2c9e-3a57-4f0b-8d2e-9c5a4b7e1d10 > revoked
stop $BEFORE 11111111-1111-4111-8111-111111111111
delivered $BEFORE 1
"#;

/// After the backup: what waited is delivered, the third is stopped, a token is revoked.
const LATER: &str = "
delivered $WAITING 1
stop $AFTER 33333333-3333-4333-8333-333333333333
delivered $AFTER 1
esoz token revoke --config esoz.toml - < revoked > revocation
";

/// The lifetime of a dispense as it is in force without the settings of the restore: by now every dispense in progress is overdue.
const OVERDUE: &str = r#"
cat >> esoz.toml <<'END'
[device_dispense]
lifetime_s = 1
expire_every_s = 1
system_user_id = "5f9a0c1e-7a63-4a51-8a5e-3f7d0c2b1a90"
END
"#;

#[test]
fn the_servers_go_back_to_their_backup() {
    let (mut servers, _) = Prepared::by_the_page();
    servers.names.push(("/var/lib/mongodb", servers.mongodb.data_dir().display().to_string()));
    servers.names.push(("/etc/systemd/system", "systemd".to_owned()));
    servers.run(SYSTEMCTL);
    servers.run("AT='--config esoz.toml' SERVE='esoz serve --config esoz.toml'");
    servers.run("cp bin/esoz/src/cli/demo_data.ndjson demo.ndjson");
    assert_eq!(servers.run(DISPENSES), "200");
    // Its event can leave MongoDB after the backup alone.
    servers.kafka.stop().unwrap();
    assert_eq!(servers.run("stop $WAITING 22222222-2222-4222-8222-222222222222"), "200");

    let mut login = "admin:admin-password@";
    let chapters = ["PostgreSQL, MongoDB and signed documents", "Restore the servers", START];
    servers.walk(&page(&chapters), |servers, Block { language, text, .. }| {
        match (language.as_str(), text.trim()) {
            ("js", line) => {
                servers.tell_mongodb(login, line);
                login = "backup:backup-password@";
                if line.contains("fsyncUnlock") {
                    servers.kafka.restart().unwrap();
                }
            }
            ("sql", statements) => servers.execute(statements),
            ("sh", "systemctl stop esoz") => {
                assert_eq!(servers.run(LATER), "200");
                servers.run(OVERDUE);
                return false;
            }
            ("sh", "systemctl stop mongod") => servers.mongodb.stop().unwrap(),
            ("sh", "systemctl start mongod") => servers.mongodb.restart().unwrap(),
            _ => return false,
        }
        true
    });

    // The events of before, of what waited and of the lost change are in the log, each once; the lost change is undone.
    servers.run("delivered $BEFORE 1; delivered $WAITING 1; delivered $AFTER 1");
    let statuses = servers.run("for id in $BEFORE $WAITING $AFTER; do status $id; done");
    assert_eq!(statuses, "\"status\":\"stopped\"\n\"status\":\"stopped\"\n\"status\":\"in_progress\"");
    // The query of the page finds it.
    let page = page(&[LOST]);
    let lost = page.only_block("sql");
    let time = servers.run("cat backup/time");
    let url = format!("postgres://postgres@127.0.0.1:{}/esoz", servers.postgres.port());
    let rows = servers.postgres.address().query_in(&url, &lost.replace(TIME, &time)).unwrap();
    assert!(rows.contains(&format!("{}|stopped", servers.run("echo $AFTER"))), "{rows}");
    // What waited at the backup is published twice, with one id: once more when the claim of before is over.
    let waiting = servers.run("echo $WAITING");
    let topic = KafkaTopic::new(servers.kafka.brokers(), "event_manager_topic");
    let ids = servers.runtime.block_on(wait_for("the second delivery", DEADLINE, async || {
        let messages = topic.messages().await;
        let of_it = messages.iter().filter(|message| message.key == waiting);
        let ids: Vec<String> = of_it.map(|message| message.json["id"].to_string()).collect();
        if ids.len() < 2 { Err(format!("{ids:?}")) } else { Ok(ids) }
    }));
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(servers.run("events $WAITING"), "1");
    // A key from before gets its first answer. The lost change is made again, with an event of its own: nothing has expired meanwhile.
    let stops =
        "stop $BEFORE 11111111-1111-4111-8111-111111111111; stop $AFTER 33333333-3333-4333-8333-333333333333";
    assert_eq!(servers.run(stops), "200\n200");
    servers.run("delivered $AFTER 2");
    // A token that was revoked after the backup is valid again, as the page warns.
    let revoked = "cp revoked token; until show $BEFORE | grep -o '\"code\":200'; do sleep 0.1; done";
    assert_eq!(servers.run(revoked), "\"code\":200");
}
