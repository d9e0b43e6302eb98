use super::*;

fn ask(bucket: &mut Bucket, method: &str, target: &str, header: Option<(&str, &str)>) -> (u16, String) {
    let headers = header.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let body = format!("body of {target}").into_bytes();
    let request = Request { method: method.to_owned(), target: target.to_owned(), headers, body };
    let response = bucket.answer(&request);
    (response.status, String::from_utf8(response.body).unwrap())
}

#[test]
fn a_conditional_write_happens_once() {
    let mut bucket = Bucket::default();
    let new = Some(("if-none-match", "*"));
    assert_eq!(ask(&mut bucket, "PUT", "/b/a%20b", new).0, 200);
    assert_eq!(ask(&mut bucket, "PUT", "/b/a%20b", new).0, 412);
    assert_eq!(ask(&mut bucket, "PUT", "/b/a%20b", Some(("if-match", "\"2\""))).0, 412);
    assert_eq!(ask(&mut bucket, "PUT", "/b/a%20b", Some(("if-match", "\"1\""))).0, 200);
    assert_eq!(ask(&mut bucket, "PUT", "/b/other", Some(("if-match", "\"1\""))).0, 412);
    assert_eq!(ask(&mut bucket, "GET", "/b/a%20b", Some(("if-none-match", "\"2\""))).0, 304);
    assert_eq!(ask(&mut bucket, "GET", "/b/a%20b", None), (200, String::from("body of /b/a%20b")));
    assert_eq!(ask(&mut bucket, "DELETE", "/b/a%20b", None).0, 204);
    assert_eq!(ask(&mut bucket, "GET", "/b/a%20b", None).0, 404);
    assert_eq!(ask(&mut bucket, "POST", "/b?delete", None).0, 501);
}

#[test]
fn a_list_has_keys_and_folders() {
    let mut bucket = Bucket::default();
    for key in ["x/1", "x/2/a", "x/2/b", "x/3", "y"] {
        ask(&mut bucket, "PUT", &format!("/b/{key}"), None);
    }
    let (status, xml) = ask(&mut bucket, "GET", "/b?list-type=2&prefix=x%2F&delimiter=%2F", None);
    assert_eq!(status, 200);
    let keys: Vec<_> = xml.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    let folders: Vec<_> = xml.split("<Prefix>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert_eq!((keys, folders), (vec!["x/1", "x/3"], vec!["x/2/"]));
    let (_, xml) = ask(&mut bucket, "GET", "/b?list-type=2&start-after=x%2F3", None);
    assert!(xml.contains("<Key>y</Key>") && !xml.contains("x/"), "{xml}");
}

#[test]
fn a_long_list_comes_in_pages() {
    let mut bucket = Bucket::default();
    for key in ["x/1", "x/2", "x/3", "y"] {
        ask(&mut bucket, "PUT", &format!("/b/{key}"), None);
    }
    let (_, first) = ask(&mut bucket, "GET", "/b?list-type=2&prefix=x%2F&max-keys=2", None);
    assert!(first.contains("<Key>x/2</Key>") && !first.contains("x/3"), "{first}");
    assert!(first.contains("<NextContinuationToken>x/2</NextContinuationToken>"), "{first}");
    let target = "/b?list-type=2&prefix=x%2F&max-keys=2&continuation-token=x%2F2";
    let (_, second) = ask(&mut bucket, "GET", target, None);
    assert!(second.contains("<Key>x/3</Key>") && second.contains("<IsTruncated>false<"), "{second}");
}

#[test]
fn a_private_bucket_is_served_to_its_access_key_alone() {
    let private = Private { name: "b", access_key_id: "id" };
    let mut bucket = Bucket { private: Some(private), ..Bucket::default() };
    let signed = Some(("authorization", "AWS4-HMAC-SHA256 Credential=id/20260131/r/s3/aws4_request, …"));
    assert_eq!(ask(&mut bucket, "PUT", "/b/k", None).0, 403);
    assert_eq!(ask(&mut bucket, "PUT", "/b/k", signed).0, 200);
    assert_eq!(ask(&mut bucket, "GET", "/b/k", Some(("authorization", "Credential=other/"))).0, 403);
    let (status, xml) = ask(&mut bucket, "GET", "/other/k", signed);
    assert!(status == 404 && xml.contains("NoSuchBucket"), "{xml}");
}
