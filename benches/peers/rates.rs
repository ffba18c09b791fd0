//! How fast one core of this machine multiplies, out of registers alone: operations a second (a product and a sum are two), as JSON. Of each number
//! format the fastest instructions that the processor has. Compiled by `machine.mjs`: rustc -O rates.rs

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::asm;
    use std::arch::x86_64::*;
    use std::time::Instant;

    const TURNS: usize = 400_000;

    /// The best of several: operations of `step` times `TURNS`, a second.
    fn rate(operations: usize, step: impl Fn()) -> f64 {
        let once = || {
            let start = Instant::now();
            step();
            (operations * TURNS) as f64 / start.elapsed().as_secs_f64()
        };
        (0..9).map(|_| once()).fold(0.0, f64::max)
    }

    macro_rules! loop_of {
        ($name:ident, $instruction:literal, $register:literal) => {
            fn $name() {
                // SAFETY: registers are declared; nothing else is touched.
                unsafe {
                    asm!(
                        "2:",
                        concat!($instruction, " ", $register, "0, ", $register, "12, ", $register, "13"),
                        concat!($instruction, " ", $register, "1, ", $register, "12, ", $register, "13"),
                        concat!($instruction, " ", $register, "2, ", $register, "12, ", $register, "13"),
                        concat!($instruction, " ", $register, "3, ", $register, "12, ", $register, "13"),
                        concat!($instruction, " ", $register, "4, ", $register, "12, ", $register, "13"),
                        concat!($instruction, " ", $register, "5, ", $register, "12, ", $register, "13"),
                        concat!($instruction, " ", $register, "6, ", $register, "12, ", $register, "13"),
                        concat!($instruction, " ", $register, "7, ", $register, "12, ", $register, "13"),
                        concat!($instruction, " ", $register, "8, ", $register, "12, ", $register, "13"),
                        concat!($instruction, " ", $register, "9, ", $register, "12, ", $register, "13"),
                        concat!($instruction, " ", $register, "10, ", $register, "12, ", $register, "13"),
                        concat!($instruction, " ", $register, "11, ", $register, "12, ", $register, "13"),
                        "dec {turns}",
                        "jnz 2b",
                        turns = inout(reg) TURNS => _,
                        out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                        out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                        out("xmm12") _, out("xmm13") _,
                        options(nostack, nomem),
                    );
                }
            }
        };
    }

    loop_of!(float_512, "vfmadd231ps", "zmm");
    loop_of!(float_256, "vfmadd231ps", "ymm");
    loop_of!(half_512, "vdpbf16ps", "zmm");
    loop_of!(byte_512, "vpdpbusd", "zmm");
    loop_of!(byte_256, "{{vex}} vpdpbusd", "ymm");
    loop_of!(byte_avx2, "vpmaddwd", "ymm");

    /// Four products of tiles a turn.
    macro_rules! tiles {
        ($name:ident, $instruction:literal) => {
            fn $name() {
                let mut shape = [0_u8; 64];
                shape[0] = 1;
                for tile in 0..8 {
                    shape[16 + 2 * tile] = 64;
                    shape[48 + tile] = 16;
                }
                // SAFETY: the tiles are set up, used and given back here.
                unsafe {
                    asm!(
                        "ldtilecfg [{shape}]",
                        "2:",
                        concat!($instruction, " tmm0, tmm4, tmm6"),
                        concat!($instruction, " tmm1, tmm4, tmm7"),
                        concat!($instruction, " tmm2, tmm5, tmm6"),
                        concat!($instruction, " tmm3, tmm5, tmm7"),
                        "dec {turns}",
                        "jnz 2b",
                        "tilerelease",
                        shape = in(reg) &shape,
                        turns = inout(reg) TURNS => _,
                        options(nostack),
                    );
                }
            }
        };
    }
    tiles!(byte_tiles, "tdpbusd");
    tiles!(half_tiles, "tdpbf16ps");

    fn has_tiles() -> bool {
        const BITS: u32 = 1 << 22 | 1 << 24 | 1 << 25;
        if !cfg!(target_os = "linux") || __cpuid_count(7, 0).edx & BITS != BITS {
            return false;
        }
        let result: i64;
        // SAFETY: arch_prctl(2), for the right to use tiles.
        unsafe {
            asm!("syscall", inlateout("rax") 158_i64 => result, in("rdi") 0x1023_i64, in("rsi") 18_i64, out("rcx") _, out("r11") _);
        }
        result == 0
    }

    pub fn print() {
        let avx512 = is_x86_feature_detected!("avx512f");
        let lanes = if avx512 { 16 } else { 8 };
        let float = rate(12 * lanes * 2, if avx512 { float_512 } else { float_256 });
        let mut half = float;
        if is_x86_feature_detected!("avx512bf16") {
            half = half.max(rate(12 * 32 * 2, half_512));
        }
        let mut byte = rate(12 * 16 * 2, byte_avx2);
        if is_x86_feature_detected!("avxvnni") {
            byte = byte.max(rate(12 * 32 * 2, byte_256));
        }
        if is_x86_feature_detected!("avx512vnni") {
            byte = byte.max(rate(12 * 64 * 2, byte_512));
        }
        let vectors = (half, byte);
        if has_tiles() {
            half = half.max(rate(4 * 16_384, half_tiles));
            byte = byte.max(rate(4 * 32_768, byte_tiles));
        }
        println!(
            r#"{{"fp32":{float},"bf16":{half},"int8":{byte},"bf16WithoutTiles":{},"int8WithoutTiles":{}}}"#,
            vectors.0, vectors.1
        );
    }
}

fn main() {
    #[cfg(target_arch = "x86_64")]
    x86::print();
    #[cfg(not(target_arch = "x86_64"))]
    println!("null");
}
