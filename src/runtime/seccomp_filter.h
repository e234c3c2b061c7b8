// The seccomp filter of a compartment: a list of what it may call; everything else fails with EPERM.
#pragma once

#include "base/result.h"
#include "runtime/sandbox.h"

namespace sternpost {

/// Installs the filter for good. Needs no_new_privs (or CAP_SYS_ADMIN).
[[nodiscard]] Result<void> apply_seccomp(const Confinement& confinement);

/// For master, whose children inherit it: everything but what no compartment may ever call
/// (docs/architecture.md section 2): ptrace, bpf, io_uring, userfaultfd, keyctl, modules, mounts and their
/// like.
[[nodiscard]] Result<void> apply_seccomp_of_master();

}  // namespace sternpost
