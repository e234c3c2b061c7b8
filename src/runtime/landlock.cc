#include "runtime/landlock.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "base/unique_fd.h"

namespace sternpost {
namespace {

// From the kernel's user API, include/uapi/linux/landlock.h; these numbers never change.
constexpr std::uint64_t kWriteFile = 1U << 1U, kReadFile = 1U << 2U, kReadDir = 1U << 3U,
                        kRemoveDir = 1U << 4U, kRemoveFile = 1U << 5U, kMakeDir = 1U << 7U,
                        kMakeReg = 1U << 8U, kRefer = 1U << 13U, kTruncate = 1U << 14U;
constexpr std::uint64_t kAllOfAbi1 = (1U << 13U) - 1;
constexpr std::uint64_t kIoctlDevice = 1U << 15U;
constexpr std::uint64_t kBindTcp = 1U << 0U, kConnectTcp = 1U << 1U;
constexpr std::uint64_t kScopeAbstractUnix = 1U << 0U, kScopeSignal = 1U << 1U;
constexpr unsigned kVersionFlag = 1;
constexpr int kRulePathBeneath = 1, kRuleNetworkPort = 2;
constexpr int kFirstAbiWithPorts = 4;

struct RulesetAttributes {
  std::uint64_t files = 0;
  std::uint64_t network = 0;  // ABI 4
  std::uint64_t scoped = 0;   // ABI 6
};

struct [[gnu::packed]] PathBeneath {
  std::uint64_t allowed = 0;
  std::int32_t parent_fd = -1;
};

struct NetworkPort {
  std::uint64_t allowed = 0;
  std::uint64_t port = 0;  // in the order of this host
};

std::uint64_t handled_files(int abi) {
  std::uint64_t rights = kAllOfAbi1;
  if (abi >= 2) rights |= kRefer;
  if (abi >= 3) rights |= kTruncate;
  if (abi >= 5) rights |= kIoctlDevice;
  return rights;
}

std::uint64_t allowed_files(FolderRight right, bool is_directory) {
  const std::uint64_t of_file = right == FolderRight::read ? kReadFile : kReadFile | kWriteFile | kTruncate;
  if (!is_directory) return of_file;
  if (right == FolderRight::read) return of_file | kReadDir;
  return of_file | kReadDir | kRemoveDir | kRemoveFile | kMakeDir | kMakeReg | kRefer;
}

std::size_t attributes_size(int abi) {
  if (abi < kFirstAbiWithPorts) return offsetof(RulesetAttributes, network);
  return abi < 6 ? offsetof(RulesetAttributes, scoped) : sizeof(RulesetAttributes);
}

Result<void> allow_ports(int ruleset, const std::vector<std::uint16_t>& ports) {
  for (const auto port : ports) {
    const NetworkPort rule{kConnectTcp, port};
    if (::syscall(SYS_landlock_add_rule, ruleset, kRuleNetworkPort, &rule, 0) != 0)
      return fail_errno("allowing port " + std::to_string(port) + " by Landlock");
  }
  return {};
}

/// A bind to no port in particular, which names the address that a connection comes from.
Result<void> allow_sources(int ruleset) {
  const NetworkPort rule{kBindTcp, 0};
  if (::syscall(SYS_landlock_add_rule, ruleset, kRuleNetworkPort, &rule, 0) != 0)
    return fail_errno("allowing source addresses by Landlock");
  return {};
}

}  // namespace

int landlock_abi() {
  const auto abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kVersionFlag);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

Result<void> apply_landlock(const std::vector<Folder>& folders, const std::vector<int>& descriptors,
                            const std::vector<std::uint16_t>& tcp_connect_ports, bool tcp_sources) {
  const int abi = landlock_abi();
  RulesetAttributes attributes;
  attributes.files = handled_files(abi);
  attributes.network = kBindTcp | kConnectTcp;
  attributes.scoped = kScopeAbstractUnix | kScopeSignal;
  const UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, attributes_size(abi), 0)));
  if (!ruleset) return fail_errno("creating a Landlock ruleset");
  for (std::size_t i = 0; i < folders.size(); ++i) {
    struct stat status{};
    if (::fstat(descriptors.at(i), &status) != 0) return fail_errno("examining " + folders[i].name);
    PathBeneath rule;
    rule.allowed = allowed_files(folders[i].right, S_ISDIR(status.st_mode)) & attributes.files;
    rule.parent_fd = descriptors.at(i);
    if (::syscall(SYS_landlock_add_rule, ruleset.get(), kRulePathBeneath, &rule, 0) != 0) {
      return fail_errno("allowing " + folders[i].name + " by Landlock");
    }
  }
  if (abi >= kFirstAbiWithPorts) {
    if (auto done = allow_ports(ruleset.get(), tcp_connect_ports); !done) return done;
    if (tcp_sources) {
      if (auto done = allow_sources(ruleset.get()); !done) return done;
    }
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return fail_errno("restricting files by Landlock");
  }
  return {};
}

}  // namespace sternpost
