//! Binary values: bytes in base64, in the policy and in the request.
//!
//! Source: IAM User Guide, "Binary condition operators"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_BinaryEquals>).

use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine};

use super::glob::Glob;
use super::reading::Reading;

/// Decodes base64 with or without padding. Bits that do not belong to a byte may have any value.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The texts that a value of `BinaryEquals` matches.
///
/// The same base64 text matches. AWS does not document whether another text of the same bytes does: base64 spelled in
/// another way, or the bytes themselves as text. Nor is it documented what a value matches that is not base64.
pub(super) fn globs(value: &str, reading: Reading) -> Vec<Glob> {
    let bytes = LENIENT.decode(value).ok();
    let own = Glob::literal(value);
    match (reading, bytes) {
        (Reading::Narrow, None) => Vec::new(),
        (Reading::Narrow, Some(_)) | (Reading::Wide, None) => vec![own],
        (Reading::Wide, Some(bytes)) => {
            let text = String::from_utf8(bytes.clone()).ok();
            let others = spellings(&bytes).into_iter().chain(text);
            others.map(|text| Glob::literal(&text)).chain([own]).collect()
        }
    }
}

/// The base64 texts of these bytes.
fn spellings(bytes: &[u8]) -> Vec<String> {
    let mut start = BASE64_STANDARD_NO_PAD.encode(bytes);
    let padding = BASE64_STANDARD.encode(bytes).split_off(start.len());
    start.pop();
    let last = STANDARD.as_str().chars().map(|last| format!("{start}{last}"));
    let same = last.filter(|text| LENIENT.decode(text).is_ok_and(|decoded| decoded == bytes));
    let unpadded: Vec<String> = same.chain(bytes.is_empty().then(String::new)).collect();
    unpadded.iter().flat_map(|text| [text.clone(), format!("{text}{padding}")]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_these_spellings() {
        assert_eq!(spellings(b"abc"), ["YWJj", "YWJj"]);
        assert_eq!(spellings(b""), ["", ""]);
        assert_eq!(spellings(b"ab"), ["YWI", "YWI=", "YWJ", "YWJ=", "YWK", "YWK=", "YWL", "YWL="]);
        assert_eq!(spellings(b"a").len(), 32);
    }
}
