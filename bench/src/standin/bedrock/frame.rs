//! One message of Amazon's event stream encoding: lengths and their checksum, headers, payload, and the checksum of all.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html>

/// The only type of header value that Bedrock sends.
const STRING: u8 = 7;
/// Lengths and checksums without headers and payload.
const FRAMING: usize = 16;

/// Appends a message.
pub(super) fn write(out: &mut Vec<u8>, headers: &[(&str, &str)], payload: &[u8]) {
    let mut fields = Vec::with_capacity(96);
    for (name, value) in headers {
        fields.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        fields.extend_from_slice(name.as_bytes());
        fields.push(STRING);
        fields.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        fields.extend_from_slice(value.as_bytes());
    }
    let start = out.len();
    out.extend_from_slice(&length(FRAMING + fields.len() + payload.len()));
    out.extend_from_slice(&length(fields.len()));
    checksum(out, start);
    out.extend_from_slice(&fields);
    out.extend_from_slice(payload);
    checksum(out, start);
}

fn checksum(out: &mut Vec<u8>, start: usize) {
    let sum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&sum.to_be_bytes());
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}
