//! A mail as RFC 5322 text.

use base64::{Engine, prelude::BASE64_STANDARD};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use super::{EmailAddress, Mail};
use crate::clock::Timestamp;

/// The text of a mail, with CRLF between lines. No header field holds anything that came from outside but the addresses,
/// which have no character that a field could end with, and the subject, which is encoded unless it is plain.
pub(super) fn of(mail: &Mail, from: &EmailAddress, now: Timestamp) -> String {
    let date = OffsetDateTime::from(std::time::SystemTime::from(now)).format(&Rfc2822).unwrap_or_default();
    let id = format!("{:032x}@{}", rand::random::<u128>(), from.domain());
    let (subject, text) = (encoded(mail.subject()), mail.text().lines().collect::<Vec<_>>().join("\r\n"));
    let to = mail.to();
    format!(
        "From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: {date}\r\nMessage-ID: <{id}>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
    )
}

/// A subject as RFC 2047 has it: in encoded words of at most 75 characters, unless it is short, printable ASCII.
fn encoded(subject: &str) -> String {
    const BYTES: usize = 45;
    let plain =
        subject.len() <= 60 && subject.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) && !subject.contains("=?");
    if plain {
        return subject.to_owned();
    }
    let (mut words, mut word) = (Vec::new(), String::new());
    for c in subject.chars() {
        if word.len() + c.len_utf8() > BYTES {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let words: Vec<_> = words.iter().map(|word| format!("=?utf-8?B?{}?=", BASE64_STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(subject: &str, text: &str) -> String {
        let address = |text| EmailAddress::parse(text).unwrap();
        let mail = Mail::new(address("ann@example.org"), subject, text.to_owned());
        of(&mail, &address("lmo@example.com"), Timestamp::parse("2026-11-25T18:00:00Z").unwrap())
    }

    #[test]
    fn a_plain_mail_reads_as_it_is() {
        let text = written("Hello", "One line.\nAnother.\n");
        let (id, rest) =
            text.split_once("Message-ID: <").map(|(head, rest)| (head, rest.split_once('>').unwrap().1)).unwrap();
        assert_eq!(
            format!("{id}{rest}"),
            "From: lmo@example.com\r\nTo: ann@example.org\r\nSubject: Hello\r\nDate: Wed, 25 Nov 2026 18:00:00 +0000\r\n\
             \r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\
             \r\nOne line.\r\nAnother.\r\n"
        );
    }

    #[test]
    fn an_international_subject_is_encoded() {
        assert_eq!(encoded("Grüße"), "=?utf-8?B?R3LDvMOfZQ==?=");
    }

    proptest! {
        #[test]
        fn a_subject_adds_no_header_field_and_reads_back(subject in "\\PC{0,200}|[\r\n:a-z =?]{0,80}") {
            let text = written(&subject, "text");
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            prop_assert_eq!(body, "text\r\n");
            let unfolded = head.replace("\r\n ", "");
            let names: Vec<_> = unfolded.split("\r\n").map(|line| line.split_once(": ").map_or(line, |(name, _)| name)).collect();
            prop_assert_eq!(names, ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"]);
            prop_assert!(head.split("\r\n").all(|line| line.len() <= 90));
            let field = unfolded.split("\r\n").nth(2).unwrap().strip_prefix("Subject: ").unwrap().to_owned();
            let read = if field.starts_with("=?") {
                let words = field.split("=?utf-8?B?").skip(1).map(|word| word.strip_suffix("?=").unwrap());
                words.map(|word| String::from_utf8(BASE64_STANDARD.decode(word).unwrap()).unwrap()).collect()
            } else {
                field
            };
            let address = EmailAddress::parse("ann@example.org").unwrap();
            prop_assert_eq!(read, Mail::new(address, &subject, String::new()).subject().to_owned());
        }
    }
}
