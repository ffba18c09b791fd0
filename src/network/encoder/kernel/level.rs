//! Which instruction set is used.

#![allow(unsafe_code, reason = "functions for one instruction set become pointers")]

use super::{Kernels, lanes, portable};
use crate::error::{Error, Result, shown};

/// Instruction sets, the most able first on each architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// AMX tiles for bf16 and 8 bits, AVX-512 for the rest.
    #[cfg(target_arch = "x86_64")]
    Amx,
    /// AVX-512 (F, BW, DQ, VL), with VNNI and BF16 where the processor has them.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX2, FMA and AVX-VNNI.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// NEON with products of unsigned and signed bytes (I8MM), and with BF16 where the processor has it.
    #[cfg(target_arch = "aarch64")]
    NeonI8mm,
    /// NEON with products of signed bytes (DotProd).
    #[cfg(target_arch = "aarch64")]
    NeonDotprod,
    /// NEON, which every aarch64 processor has.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// No special instructions.
    Portable,
}

impl Level {
    /// Those that this architecture has, the most able first.
    const ALL: &[Level] = &[
        #[cfg(target_arch = "x86_64")]
        Level::Amx,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512,
        #[cfg(target_arch = "x86_64")]
        Level::AvxVnni,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2,
        #[cfg(target_arch = "aarch64")]
        Level::NeonI8mm,
        #[cfg(target_arch = "aarch64")]
        Level::NeonDotprod,
        #[cfg(target_arch = "aarch64")]
        Level::Neon,
        Level::Portable,
    ];

    /// The word for it in `VECRANK_CPU` and `info()`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Level::Amx => "amx",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Level::AvxVnni => "avx_vnni",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Level::NeonI8mm => "neon_i8mm",
            #[cfg(target_arch = "aarch64")]
            Level::NeonDotprod => "neon_dotprod",
            #[cfg(target_arch = "aarch64")]
            Level::Neon => "neon",
            Level::Portable => "portable",
        }
    }

    fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Level::Amx => Level::Avx512.is_available() && x86::has_amx() && super::amx::is_permitted(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Level::Avx2.is_available() && x86::has_avx512(),
            #[cfg(target_arch = "x86_64")]
            Level::AvxVnni => Level::Avx2.is_available() && std::is_x86_feature_detected!("avxvnni"),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => {
                let (avx2, fma) = (std::is_x86_feature_detected!("avx2"), std::is_x86_feature_detected!("fma"));
                avx2 && fma
            }
            #[cfg(target_arch = "aarch64")]
            Level::NeonI8mm => std::arch::is_aarch64_feature_detected!("i8mm"),
            #[cfg(target_arch = "aarch64")]
            Level::NeonDotprod => std::arch::is_aarch64_feature_detected!("dotprod"),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            Level::Portable => true,
        }
    }

    /// Features of this processor that the encoder or ONNX Runtime make use of, by the names of the instruction sets.
    #[must_use]
    pub fn features() -> Vec<&'static str> {
        macro_rules! found {
            ($detected:ident: $($name:tt),*) => {
                [$(($name, std::arch::$detected!($name))),*].into_iter().filter_map(|(name, has)| has.then_some(name)).collect()
            };
        }
        #[cfg(target_arch = "x86_64")]
        let mut found: Vec<_> = found!(is_x86_feature_detected:
            "sse4.2", "avx", "f16c", "fma", "avx2", "avxvnni", "avx512f", "avx512bw", "avx512vnni", "avx512bf16");
        #[cfg(target_arch = "x86_64")]
        found.extend(Level::Amx.is_available().then_some("amx"));
        #[cfg(target_arch = "aarch64")]
        let found = found!(is_aarch64_feature_detected: "neon", "fp16", "dotprod", "bf16", "i8mm", "sve");
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let found = Vec::new();
        found
    }

    /// Those that this processor has, the most able first.
    pub fn available() -> impl Iterator<Item = Level> {
        Level::ALL.iter().copied().filter(|level| level.is_available())
    }

    /// The most able one, or the one that the variable `VECRANK_CPU` names.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where it names none, or one that this processor does not have.
    pub fn chosen() -> Result<Level> {
        let word = std::env::var("VECRANK_CPU").unwrap_or_default();
        if word.is_empty() {
            return Ok(Level::available().next().unwrap_or(Level::Portable));
        }
        Level::available().find(|level| level.as_str() == word).ok_or_else(|| {
            let known: Vec<_> = Level::available().map(Level::as_str).collect();
            Error::InvalidArgument(format!(
                "Expected one of {} for the variable VECRANK_CPU, which is what this processor has, but found {}",
                known.join(", "),
                shown(&word)
            ))
        })
    }
}

impl Kernels {
    /// The kernels of an instruction set; those of the portable one where the processor lacks it.
    pub fn of(level: Level) -> Kernels {
        let portable = Kernels {
            level: Level::Portable,
            lanes: lanes::portable::LANES,
            float: portable::float,
            half: portable::half,
            byte: portable::byte,
        };
        if !level.is_available() {
            return portable;
        }
        match level {
            Level::Portable => portable,
            #[cfg(target_arch = "x86_64")]
            _ => x86::kernels(level),
            #[cfg(target_arch = "aarch64")]
            _ => arm::kernels(level),
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::{Kernels, amx, avx2, avx512, lanes};
    use super::Level;

    pub fn has_avx512() -> bool {
        std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512bw")
            && std::is_x86_feature_detected!("avx512dq")
            && std::is_x86_feature_detected!("avx512vl")
    }

    /// Bits of CPUID's leaf 7: AMX-BF16, AMX-TILE, AMX-INT8.
    pub fn has_amx() -> bool {
        const BITS: u32 = 1 << 22 | 1 << 24 | 1 << 25;
        std::arch::x86_64::__cpuid(0).eax >= 7 && std::arch::x86_64::__cpuid_count(7, 0).edx & BITS == BITS
    }

    pub fn kernels(level: Level) -> Kernels {
        let (vnni, bf16) = (std::is_x86_feature_detected!("avx512vnni"), std::is_x86_feature_detected!("avx512bf16"));
        let avx2 = Kernels {
            level,
            lanes: lanes::avx2::LANES,
            float: avx2::float,
            half: avx2::half,
            byte: if level == Level::Avx2 { avx2::byte } else { avx2::vnni_byte },
        };
        let avx512 = Kernels {
            level,
            lanes: lanes::avx512::LANES,
            float: avx512::float,
            half: if bf16 { avx512::half } else { avx512::widened_half },
            byte: if vnni { avx512::byte } else { avx2::byte },
        };
        match level {
            Level::Amx => Kernels { half: amx::half, byte: amx::byte, ..avx512 },
            Level::Avx512 => avx512,
            _ => avx2,
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::super::{Kernels, lanes, neon};
    use super::Level;

    pub fn kernels(level: Level) -> Kernels {
        let bf16 = level == Level::NeonI8mm && std::arch::is_aarch64_feature_detected!("bf16");
        Kernels {
            level,
            lanes: lanes::neon::LANES,
            float: neon::float,
            half: if bf16 { neon::half } else { neon::widened_half },
            byte: match level {
                Level::NeonI8mm => neon::matrix_byte,
                Level::NeonDotprod => neon::signed_byte,
                _ => neon::byte,
            },
        }
    }
}
