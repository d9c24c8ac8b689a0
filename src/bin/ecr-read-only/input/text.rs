//! Reads a file or standard input as text: UTF-8, UTF-16 or UTF-32, with or without a byte order mark, also compressed with
//! gzip.
//!
//! Windows PowerShell writes UTF-16 with a byte order mark for `>`. Plain UTF-8 is not copied.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

/// Why there is no text. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TextError {
    #[error("cannot be read: {0}; check the value of `--account-details`")]
    Unreadable(#[from] io::Error),
    #[error("is a directory; give a file with the output of `aws iam get-account-authorization-details`")]
    Directory,
    #[error("is {0}; unpack it first")]
    Packed(&'static str),
    #[error("the gzip data is damaged: {0}; save the file again")]
    Gzip(io::Error),
    #[error("is not UTF-8: {0} has an invalid byte; save the file again as UTF-8")]
    NotUtf8(Place),
    #[error("the {encoding} text is damaged after {characters} characters; save the file again as UTF-8")]
    Damaged { encoding: &'static str, characters: usize },
}

/// A place in a text: line and column, from 1. The column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    line: usize,
    column: usize,
}

impl Place {
    /// The place behind this text.
    pub(crate) fn behind(text: &str) -> Self {
        let last_line = text.rsplit('\n').next().unwrap_or_default();
        let lines = text.bytes().filter(|byte| *byte == b'\n').count();
        Self { line: lines + 1, column: last_line.chars().count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {}", self.line, self.column)
    }
}

/// A file's first bytes, and the encoding that they show.
const BYTE_ORDER_MARKS: [(&[u8], Encoding); 5] = [
    (b"\xEF\xBB\xBF", Encoding::Utf8),
    (b"\xFF\xFE\0\0", Encoding::Utf32LittleEndian),
    (b"\0\0\xFE\xFF", Encoding::Utf32BigEndian),
    (b"\xFF\xFE", Encoding::Utf16LittleEndian),
    (b"\xFE\xFF", Encoding::Utf16BigEndian),
];

/// The first bytes of other forms of files, and their names.
const PACKED: [(&[u8], &str); 5] = [
    (b"PK\x03\x04", "a zip archive"),
    (b"BZh", "compressed with bzip2"),
    (b"\xFD7zXZ\0", "compressed with xz"),
    (b"\x28\xB5\x2F\xFD", "compressed with zstd"),
    // One layer is already unpacked.
    (GZIP, "compressed with gzip twice"),
];

const GZIP: &[u8] = b"\x1F\x8B";

/// A tar archive has this name at this offset.
const TAR: (usize, &[u8]) = (257, b"ustar");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16LittleEndian,
    Utf16BigEndian,
    Utf32LittleEndian,
    Utf32BigEndian,
}

/// Reads the file; `-` is standard input.
///
/// # Errors
/// [`TextError`] if it cannot be read or is no text.
pub(crate) fn read(path: &Path) -> Result<String, TextError> {
    let bytes = if path.as_os_str() == OsStr::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        bytes
    } else if path.is_dir() {
        return Err(TextError::Directory);
    } else {
        std::fs::read(path)?
    };
    if !bytes.starts_with(GZIP) {
        return text_of(bytes);
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked).map_err(TextError::Gzip)?;
    drop(bytes);
    text_of(unpacked)
}

/// The text in these bytes. In UTF-8 the byte order mark stays.
fn text_of(bytes: Vec<u8>) -> Result<String, TextError> {
    let is_tar = bytes.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1));
    let packed = PACKED.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name);
    if let Some(name) = packed.or(is_tar.then_some("a tar archive")) {
        return Err(TextError::Packed(name));
    }
    let (encoding, name) = match encoding(&bytes) {
        Encoding::Utf8 => {
            return String::from_utf8(bytes).map_err(|error| {
                let valid = error.utf8_error().valid_up_to();
                let before = error.as_bytes().get(..valid).unwrap_or_default();
                TextError::NotUtf8(Place::behind(&String::from_utf8_lossy(before)))
            });
        }
        encoding @ (Encoding::Utf16LittleEndian | Encoding::Utf16BigEndian) => (encoding, "UTF-16"),
        encoding @ (Encoding::Utf32LittleEndian | Encoding::Utf32BigEndian) => (encoding, "UTF-32"),
    };
    let mut text = String::with_capacity(bytes.len() / 2);
    let whole = match encoding {
        Encoding::Utf8 => true,
        Encoding::Utf16LittleEndian => utf16(&bytes, u16::from_le_bytes, &mut text),
        Encoding::Utf16BigEndian => utf16(&bytes, u16::from_be_bytes, &mut text),
        Encoding::Utf32LittleEndian => utf32(&bytes, u32::from_le_bytes, &mut text),
        Encoding::Utf32BigEndian => utf32(&bytes, u32::from_be_bytes, &mut text),
    };
    if whole { Ok(text) } else { Err(TextError::Damaged { encoding: name, characters: text.chars().count() }) }
}

/// The encoding by the byte order mark, or by the zero bytes of the first two characters. JSON starts with two ASCII
/// characters, so their zero bytes are safe signs.
fn encoding(bytes: &[u8]) -> Encoding {
    if let Some((_, encoding)) = BYTE_ORDER_MARKS.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        return *encoding;
    }
    let Some(first) = bytes.first_chunk::<4>() else { return Encoding::Utf8 };
    match first.map(|byte| byte == 0) {
        [true, true, true, false] => Encoding::Utf32BigEndian,
        [false, true, true, true] => Encoding::Utf32LittleEndian,
        [true, false, true, false] => Encoding::Utf16BigEndian,
        [false, true, false, true] => Encoding::Utf16LittleEndian,
        _ => Encoding::Utf8,
    }
}

/// Appends the text up to the first unpaired surrogate or the last whole unit. Returns whether that is all.
fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16, text: &mut String) -> bool {
    let (units, rest) = bytes.as_chunks::<2>();
    for one in char::decode_utf16(units.iter().map(|bytes| unit(*bytes))) {
        match one {
            Ok(one) => text.push(one),
            Err(_) => return false,
        }
    }
    rest.is_empty()
}

fn utf32(bytes: &[u8], unit: fn([u8; 4]) -> u32, text: &mut String) -> bool {
    let (units, rest) = bytes.as_chunks::<4>();
    for bytes in units {
        match char::from_u32(unit(*bytes)) {
            Some(one) => text.push(one),
            None => return false,
        }
    }
    rest.is_empty()
}
