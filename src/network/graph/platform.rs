//! Which devices a platform has, the best first. Knows nothing of how they work.

use crate::options::Device;

/// What `device: 'auto'` tries, in order; the CPU is last. Core ML is not in it: it gains nothing on graphs of BERT's kind. Plugins are
/// not in it: who wants one adds it, and names it.
pub(in crate::network) fn order() -> &'static [Device] {
    order_of(std::env::consts::OS, std::env::consts::ARCH)
}

/// What `device: 'gpu'` tries, in order.
pub(in crate::network) fn gpus() -> &'static [Device] {
    gpus_of(std::env::consts::OS, std::env::consts::ARCH)
}

/// Every device that can be named here, for lists.
pub(super) fn all() -> &'static [Device] {
    &[Device::Cuda, Device::TensorRt, Device::Dml, Device::CoreMl, Device::WebGpu, Device::OpenVino, Device::Cpu]
}

fn order_of(system: &str, processor: &str) -> &'static [Device] {
    match (system, processor) {
        ("linux", "x86_64") => &[Device::Cuda, Device::Cpu],
        ("windows", "x86_64") => &[Device::Cuda, Device::Dml, Device::Cpu],
        ("windows", "aarch64") => &[Device::Dml, Device::Cpu],
        _ => &[Device::Cpu],
    }
}

fn gpus_of(system: &str, processor: &str) -> &'static [Device] {
    match (system, processor) {
        ("linux", "x86_64") => &[Device::Cuda, Device::WebGpu],
        ("windows", "x86_64") => &[Device::Cuda, Device::Dml, Device::WebGpu],
        ("windows", _) => &[Device::Dml, Device::WebGpu],
        ("macos", _) => &[Device::CoreMl, Device::WebGpu],
        _ => &[Device::WebGpu],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_the_last_everywhere_and_no_gpu() {
        for system in ["linux", "windows", "macos", "freebsd"] {
            for processor in ["x86_64", "aarch64"] {
                let order = order_of(system, processor);
                assert_eq!(order.iter().position(|device| *device == Device::Cpu), Some(order.len() - 1));
                assert!(!gpus_of(system, processor).contains(&Device::Cpu));
            }
        }
        assert_eq!(order_of("linux", "x86_64")[0], Device::Cuda);
        assert_eq!(order_of("windows", "aarch64")[0], Device::Dml);
        assert_eq!(order_of("macos", "aarch64"), [Device::Cpu]);
        assert_eq!(order_of("linux", "aarch64"), [Device::Cpu]);
    }
}
