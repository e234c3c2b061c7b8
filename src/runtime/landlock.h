// Landlock without a library: Debian 12's headers are older than the kernels that Sternpost runs on.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "runtime/sandbox.h"

namespace sternpost {

/// The ABI of the running kernel; 0 where it has no Landlock.
int landlock_abi();

/// Allows files only below `folders` (descriptors in the same order), TCP connections only to these ports,
/// and listening by TCP, abstract sockets and signals to others not at all, as far as the kernel's ABI
/// reaches. With `tcp_sources` connections may choose the address that they come from. Needs no_new_privs.
[[nodiscard]] Result<void> apply_landlock(const std::vector<Folder>& folders,
                                          const std::vector<int>& descriptors,
                                          const std::vector<std::uint16_t>& tcp_connect_ports,
                                          bool tcp_sources);

}  // namespace sternpost
