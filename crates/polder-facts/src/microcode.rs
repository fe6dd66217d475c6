//! Microcode: the revision the processor runs, and the newest one that is installed for it.
//!
//! Layouts: Intel SDM volume 3, "Microcode Update Facilities"; for AMD the kernel's own loader,
//! `arch/x86/kernel/cpu/microcode/amd.c`. A guest has the microcode of its host, so it is not asked.

use crate::reading::text;
use polder_host::Host;

/// Largest file of microcode read; those of vendors have less than 1 MB.
const BYTES_MAX: u64 = 16 << 20;

/// Which processor this is, and what it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Processor {
    is_intel: bool,
    family: u32,
    model: u32,
    stepping: u32,
    revision: u32,
}

/// Revisions that run, and that are installed for this processor; none where that cannot be told.
pub(crate) fn look(host: &dyn Host) -> Option<(u32, u32)> {
    let processor = parse_cpuinfo(&text(host, "/proc/cpuinfo").ok()?)?;
    let Processor { family, model, stepping, .. } = processor;
    let installed = if processor.is_intel {
        let path = format!("/lib/firmware/intel-ucode/{family:02x}-{model:02x}-{stepping:02x}");
        let bytes = host.read(path.as_ref(), BYTES_MAX).ok()?;
        let flags = text(host, "/sys/devices/system/cpu/cpu0/microcode/processor_flags").ok();
        let flags = flags.and_then(|it| hexadecimal(&it));
        of_intel(&bytes, processor, flags)?
    } else {
        let name = match family {
            0x10..=0x14 => "microcode_amd.bin".to_string(),
            family => format!("microcode_amd_fam{family:02x}h.bin"),
        };
        let path = format!("/lib/firmware/amd-ucode/{name}");
        of_amd(&host.read(path.as_ref(), BYTES_MAX).ok()?, processor)?
    };
    Some((processor.revision, installed))
}

fn hexadecimal(text: &str) -> Option<u32> {
    u32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

/// The first processor of `/proc/cpuinfo`; none in a guest.
fn parse_cpuinfo(text: &str) -> Option<Processor> {
    let first = text.split("\n\n").next()?;
    let value = |wanted: &str| {
        first.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == wanted).then_some(value.trim())
        })
    };
    if value("flags")?.split(' ').any(|it| it == "hypervisor") {
        return None;
    }
    let is_intel = match value("vendor_id")? {
        "GenuineIntel" => true,
        "AuthenticAMD" => false,
        _ => return None,
    };
    let number = |name: &str| value(name)?.parse().ok();
    Some(Processor {
        is_intel,
        family: number("cpu family")?,
        model: number("model")?,
        stepping: number("stepping")?,
        revision: hexadecimal(value("microcode")?)?,
    })
}

/// The 32 bits at `at`, the lowest first.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}

fn usize_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(word(bytes, at)?).ok()
}

/// What CPUID leaf 1 says of a processor (Intel SDM, volume 2, CPUID).
fn signature(processor: Processor) -> u32 {
    let Processor { family, model, stepping, .. } = processor;
    let base = family.min(15);
    let extended = family.saturating_sub(15);
    (extended << 20) | ((model >> 4) << 16) | (base << 8) | ((model & 15) << 4) | (stepping & 15)
}

/// The revision a file of Intel holds for a processor. Where its platform is not known, the lowest of
/// all platforms: less than that no platform has installed.
fn of_intel(bytes: &[u8], processor: Processor, flags: Option<u32>) -> Option<u32> {
    let wanted = signature(processor);
    let mut revisions = Vec::new();
    let mut rest = bytes;
    while word(rest, 0) == Some(1) {
        let data = usize_at(rest, 28)?;
        let data = if data == 0 { 2000 } else { data };
        let total = usize_at(rest, 32)?;
        let total = if total == 0 { 2048 } else { total };
        if total < 48 {
            return None;
        }
        let mut serves = vec![(word(rest, 12)?, word(rest, 24)?)];
        let table = data.checked_add(48)?;
        if table < total {
            let count = usize_at(rest, table)?.min(total / 12);
            for entry in 0..count {
                let at = table + 20 + 12 * entry;
                serves.push((word(rest, at)?, word(rest, at + 4)?));
            }
        }
        let is_ours = serves.iter().any(|(signature, platforms)| {
            *signature == wanted
                && flags.is_none_or(|flags| *platforms == 0 || platforms & flags != 0)
        });
        if is_ours {
            revisions.push(word(rest, 4)?);
        }
        rest = rest.get(total..)?;
    }
    match flags {
        Some(_) => revisions.into_iter().max(),
        None => revisions.into_iter().min(),
    }
}

/// The patch level a container of AMD holds for a processor.
fn of_amd(bytes: &[u8], processor: Processor) -> Option<u32> {
    const MAGIC: u32 = 0x0041_4d44;
    let wanted = signature(processor);
    let (mut equivalent, mut newest) = (None, None);
    let mut rest = bytes;
    while rest.len() >= 8 {
        if word(rest, 0) == Some(MAGIC) {
            // A table of processors that count as one, sixteen bytes each.
            let length = usize_at(rest, 8)?;
            let table = rest.get(12..length.checked_add(12)?)?;
            equivalent = table.chunks_exact(16).find_map(|entry| {
                (word(entry, 0) == Some(wanted)).then(|| word(entry, 12).map(|it| it & 0xffff))?
            });
            rest = rest.get(length + 12..)?;
            continue;
        }
        let length = usize_at(rest, 4)?;
        let patch = rest.get(8..length.checked_add(8)?)?;
        let serves = word(patch, 24).map(|it| it & 0xffff);
        if word(rest, 0) == Some(1) && equivalent.is_some() && serves == equivalent {
            newest = newest.max(word(patch, 4));
        }
        rest = rest.get(length + 8..)?;
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPUINFO: &str = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\nstepping\t: 8\nmicrocode\t: 0x2b000461\nflags\t\t: fpu vme\n\nprocessor\t: 1\n";

    fn intel(revision: u32, signature: u32, platforms: u32) -> Vec<u8> {
        let mut words = [0u32; 16];
        words[0] = 1;
        words[1] = revision;
        words[3] = signature;
        words[6] = platforms;
        words[7] = 16;
        words[8] = 64;
        words.iter().flat_map(|it| it.to_le_bytes()).collect()
    }

    #[test]
    fn a_processor_is_known_by_its_first_stanza_and_a_guest_is_not_asked() {
        let it = parse_cpuinfo(CPUINFO).unwrap();
        assert_eq!((it.model, it.revision), (143, 0x2b00_0461));
        assert_eq!(signature(it), 0x0008_06f8);
        assert_eq!(
            signature(Processor { family: 25, model: 0x61, stepping: 2, ..it }),
            0x00a6_0f12
        );
        assert_eq!(parse_cpuinfo(&CPUINFO.replace("fpu", "hypervisor")), None);
    }

    #[test]
    fn the_update_for_this_processor_and_platform_is_found() {
        let it = parse_cpuinfo(CPUINFO).unwrap();
        let file = [intel(5, 0x806f8, 1), intel(7, 0x806f8, 2), intel(9, 0x806f7, 2)].concat();
        assert_eq!(of_intel(&file, it, Some(2)), Some(7));
        assert_eq!(of_intel(&file, it, Some(4)), None);
        assert_eq!(of_intel(&file, it, None), Some(5));
        for length in 0..file.len() {
            let _ = of_intel(&file[..length], it, None);
        }
    }

    #[test]
    fn a_container_of_amd_names_the_processors_it_serves() {
        let it = Processor { is_intel: false, family: 25, model: 0x61, stepping: 2, revision: 0 };
        let mut file: Vec<u8> = Vec::new();
        let mut put = |words: &[u32]| file.extend(words.iter().flat_map(|it| it.to_le_bytes()));
        put(&[0x0041_4d44, 0, 32, 0x00a6_0f12, 0, 0, 0xa612, 0, 0, 0, 0]);
        put(&[1, 32, 0, 0x0a60_1206, 0, 0, 0, 0, 0xa612, 0]);
        put(&[1, 32, 0, 0x0a60_9999, 0, 0, 0, 0, 0xa613, 0]);
        assert_eq!(of_amd(&file, it), Some(0x0a60_1206));
        for length in 0..file.len() {
            let _ = of_amd(&file[..length], it);
        }
    }
}
