//! Headers of RPM as its database keeps them: what a package is, and which files it has, as its builder
//! signed it (rpm's `docs/manual/format_header.md` and `hregions.md`).

/// What comes before a header that is signed.
const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];

/// Bytes of an entry: tag, type, offset, count.
const ENTRY: usize = 16;

/// The tag of what is signed (RPMTAG_HEADERIMMUTABLE).
const REGION: u32 = 63;

/// Most files of a package.
const FILES_MAX: usize = 1 << 19;

/// A setting of the package (RPMFILE_CONFIG), and a name it does not bring along (RPMFILE_GHOST).
pub(crate) const SETTING: u32 = 1 << 0;
pub(crate) const GHOST: u32 = 1 << 6;

/// One file of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PackagedFile {
    pub(crate) path: Vec<u8>,
    /// As stat(2) has it, with the kind.
    pub(crate) mode: u16,
    pub(crate) user: String,
    pub(crate) group: String,
    /// SHA-256 of a plain file.
    pub(crate) digest: Option<[u8; 32]>,
    /// Where a link leads.
    pub(crate) target: Vec<u8>,
    pub(crate) flags: u32,
    /// Whether it gets rights that modes do not tell (capabilities(7)).
    pub(crate) has_capabilities: bool,
}

/// What is signed of a header, and the signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: String,
    /// `epoch:version-release`.
    pub(crate) version: String,
    pub(crate) architecture: String,
    pub(crate) files: Vec<PackagedFile>,
    /// The bytes that are signed.
    pub(crate) signed: Vec<u8>,
    /// Signatures of OpenPGP.
    pub(crate) signatures: Vec<Vec<u8>>,
}

/// Entries with the data they lie in.
struct Part<'a> {
    entries: &'a [u8],
    data: &'a [u8],
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes)
}

fn length(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(number(bytes, at)?).ok()
}

impl<'a> Part<'a> {
    /// Where the data of a tag begin, if it has this type, and how many values there are.
    fn find(&self, tag: u32, kind: u32) -> Option<(&'a [u8], usize)> {
        let mut entries = self.entries.chunks_exact(ENTRY);
        let entry = entries.find(|it| number(it, 0) == Some(tag) && number(it, 4) == Some(kind))?;
        Some((self.data.get(length(entry, 8)?..)?, length(entry, 12)?))
    }

    fn numbers(&self, tag: u32) -> Vec<u32> {
        let Some((data, count)) = self.find(tag, 4) else { return Vec::new() };
        data.chunks_exact(4).take(count.min(FILES_MAX)).filter_map(|it| number(it, 0)).collect()
    }

    fn halves(&self, tag: u32) -> Vec<u16> {
        let Some((data, count)) = self.find(tag, 3) else { return Vec::new() };
        let pairs = data.chunks_exact(2).take(count.min(FILES_MAX));
        pairs.filter_map(|it| it.try_into().ok().map(u16::from_be_bytes)).collect()
    }

    fn texts(&self, tag: u32) -> Vec<&'a [u8]> {
        let Some((data, count)) = self.find(tag, 8) else { return Vec::new() };
        let ends_within = data.iter().rposition(|byte| *byte == 0);
        let data = ends_within.and_then(|end| data.get(..end)).unwrap_or_default();
        data.split(|byte| *byte == 0).take(count.min(FILES_MAX)).collect()
    }

    fn text(&self, tag: u32) -> Option<String> {
        let (data, _) = self.find(tag, 6)?;
        let text = data.get(..data.iter().position(|byte| *byte == 0)?)?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    fn bytes(&self, tag: u32) -> Option<&'a [u8]> {
        let (data, count) = self.find(tag, 7)?;
        data.get(..count)
    }
}

/// Reads a header; none where it is not whole, or nothing of it is signed.
pub(crate) fn parse(blob: &[u8]) -> Option<Header> {
    let (entries, bytes) = (length(blob, 0)?, length(blob, 4)?);
    let end = entries.checked_mul(ENTRY)?.checked_add(8)?;
    let all = Part { entries: blob.get(8..end)?, data: blob.get(end..end.checked_add(bytes)?)? };
    // The region comes first, and its data end with a copy of its entry that counts its entries.
    let first = all.entries.get(..ENTRY)?;
    if (number(first, 0)?, number(first, 4)?, number(first, 12)?) != (REGION, 7, 16) {
        return None;
    }
    let trailer = length(first, 8)?;
    let region_bytes = trailer.checked_add(ENTRY)?;
    let data = all.data.get(..region_bytes)?;
    let back = number(data.get(trailer..)?, 8)?.cast_signed().checked_neg()?;
    let region_entries = usize::try_from(back).ok()?.checked_div(ENTRY)?;
    let entries = all.entries.get(..region_entries.checked_mul(ENTRY)?)?;
    let region = Part { entries, data };
    let counts = [u32::try_from(region_entries).ok()?, u32::try_from(region_bytes).ok()?];
    let [count, size] = counts.map(u32::to_be_bytes);
    let signed = [&MAGIC[..], &count, &size, entries, data].concat();
    let rest = Part { entries: all.entries.get(entries.len()..)?, data: all.data };
    // By RSA or newer, by DSA (RPMTAG_RSAHEADER, RPMTAG_DSAHEADER).
    let signatures = [268, 267].into_iter().filter_map(|tag| rest.bytes(tag)).map(<[u8]>::to_vec);
    let epoch = region.numbers(1003).first().copied().unwrap_or(0);
    Some(Header {
        name: region.text(1000)?,
        version: format!("{epoch}:{}-{}", region.text(1001)?, region.text(1002)?),
        architecture: region.text(1022).unwrap_or_default(),
        files: files(&region)?,
        signed,
        signatures: signatures.collect(),
    })
}

/// The files; none where the lists do not fit together.
fn files(region: &Part<'_>) -> Option<Vec<PackagedFile>> {
    let (names, folders) = (region.texts(1117), region.texts(1118));
    let (at, modes, flags) = (region.numbers(1116), region.halves(1030), region.numbers(1037));
    let [digests, targets, users, groups] = [1035, 1036, 1039, 1040].map(|tag| region.texts(tag));
    let capabilities = region.texts(5010);
    // PGPHASHALGO_SHA256; older packages have MD5, which proves nothing.
    let is_sha256 = region.numbers(5011) == [8];
    let mut files = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let folder = folders.get(usize::try_from(*at.get(index)?).ok()?)?;
        let text = |of: &[&[u8]]| of.get(index).map(|it| String::from_utf8_lossy(it).into_owned());
        files.push(PackagedFile {
            path: [folder, *name].concat(),
            mode: *modes.get(index)?,
            user: text(&users)?,
            group: text(&groups)?,
            digest: digests.get(index).filter(|_| is_sha256).and_then(|it| hexadecimal(it)),
            target: targets.get(index)?.to_vec(),
            flags: *flags.get(index)?,
            has_capabilities: capabilities.get(index).is_some_and(|it| !it.is_empty()),
        });
    }
    Some(files)
}

fn hexadecimal(text: &[u8]) -> Option<[u8; 32]> {
    let text = std::str::from_utf8(text).ok().filter(|it| it.len() == 64)?;
    let mut digest = [0; 32];
    for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A header of a package with one file, signed parts and an entry of the database behind them.
    fn header() -> Vec<u8> {
        let (mut entries, mut data) = (Vec::new(), Vec::new());
        let mut put = |tag: u32, kind: u32, count: u32, bytes: &[u8]| {
            let align = match kind {
                3 => 2,
                4 => 4,
                _ => 1,
            };
            data.resize(data.len().next_multiple_of(align), 0);
            for word in [tag, kind, u32::try_from(data.len()).unwrap(), count] {
                entries.extend(word.to_be_bytes());
            }
            data.extend_from_slice(bytes);
        };
        put(1000, 6, 1, b"bash\0");
        put(1001, 6, 1, b"5.1\0");
        put(1002, 6, 1, b"2.el9\0");
        put(1003, 4, 1, &1_u32.to_be_bytes());
        put(1022, 6, 1, b"x86_64\0");
        put(1030, 3, 1, &0o100_755_u16.to_be_bytes());
        put(1035, 8, 1, format!("{}\0", "ab".repeat(32)).as_bytes());
        put(1036, 8, 1, b"\0");
        put(1037, 4, 1, &SETTING.to_be_bytes());
        put(1039, 8, 1, b"root\0");
        put(1040, 8, 1, b"wheel\0");
        put(1116, 4, 1, &0_u32.to_be_bytes());
        put(1117, 8, 1, b"bash\0");
        put(1118, 8, 1, b"/usr/bin/\0");
        put(5011, 4, 1, &8_u32.to_be_bytes());
        let trailer = u32::try_from(data.len()).unwrap();
        let count = u32::try_from(entries.len() / ENTRY + 1).unwrap();
        let back = -i32::try_from(count).unwrap() * 16;
        for word in [REGION, 7, back.cast_unsigned(), 16] {
            data.extend(word.to_be_bytes());
        }
        let mut all: Vec<u8> =
            [REGION, 7, trailer, 16].iter().flat_map(|it| it.to_be_bytes()).collect();
        all.extend(entries);
        for word in [268, 7, u32::try_from(data.len()).unwrap(), 3] {
            all.extend(word.to_be_bytes());
        }
        data.extend(b"sig");
        let (count, bytes) = (all.len() / ENTRY, data.len());
        let head = [count, bytes].map(|it| u32::try_from(it).unwrap().to_be_bytes()).concat();
        [head, all, data].concat()
    }

    #[test]
    fn what_is_signed_tells_files_and_what_is_not_only_signs() {
        let header = parse(&header()).unwrap();
        assert_eq!(header.version, "1:5.1-2.el9");
        assert_eq!(header.signatures, [b"sig".to_vec()]);
        let file = &header.files[0];
        assert_eq!(file.path, b"/usr/bin/bash");
        assert_eq!((file.mode, file.flags, file.digest), (0o100_755, SETTING, Some([0xab; 32])));
        assert_eq!((file.user.as_str(), file.group.as_str()), ("root", "wheel"));
        assert!(header.signed.starts_with(&MAGIC));
        assert!(!header.signed.windows(3).any(|it| it == b"sig"));
    }

    #[test]
    fn a_cut_header_is_none() {
        let whole = header();
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), None, "{end}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic(at in 0..400_usize, byte in any::<u8>(), more in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut bytes = header();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            let _ = parse(&bytes);
            let _ = parse(&more);
        }
    }
}
