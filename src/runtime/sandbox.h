// Confinement: what a process gives up before it reads its first byte from anyone but master.
//
// Two layers (docs/architecture.md section 2): as root, an own uid, an empty root directory and no
// capabilities; in every case no_new_privs, Landlock for files and ports, seccomp for calls, rlimits and no
// core dumps.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "base/codec.h"
#include "base/result.h"

namespace sternpost {

/// Sets of system calls beyond what every compartment needs (memory, time, its descriptors, its channels).
enum class SyscallSet : unsigned char {
  accept,        ///< accept connections on a listening socket it was given
  read_files,    ///< open and read below its folders
  write_files,   ///< create, write, sync, rename, unlink below its folders
  memfd,         ///< make sealed memory files (config)
  name_service,  ///< what NSS modules call
  datagrams,     ///< make datagram sockets of its families, to be connected (dns)
  threads,       ///< start threads of its own, and no processes (spool)
};

template <>
inline constexpr unsigned kEnumBound<SyscallSet> = 7;

enum class FolderRight : unsigned char { read, write };

template <>
inline constexpr unsigned kEnumBound<FolderRight> = 2;

/// A folder (or file) that master opened and hands over; the only files the process can reach.
struct Folder {
  std::string name;  ///< for messages and `show plan`
  FolderRight right = FolderRight::read;
  static constexpr auto fields() { return std::tuple(&Folder::name, &Folder::right); }
};

struct Confinement {
  bool change_user = false;  ///< master is root: take uid and gid below, drop every group and capability
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool empty_root = true;  ///< with change_user: chroot to the empty directory
  std::vector<Folder> folders;
  std::vector<SyscallSet> calls;
  std::vector<std::uint16_t> socket_families;  ///< AF_INET and AF_INET6, for TCP and UDP alone; usually none
  /// Ports to which TCP connections may be made, with a socket family and where Landlock has them (ABI 4).
  /// TCP never binds to a port or listens on a socket of its own. Datagrams go to any port: seccomp does not
  /// see addresses.
  std::vector<std::uint16_t> tcp_connect_ports;
  bool tcp_sources = false;  ///< those connections may choose the address, not the port, that they come from
  std::uint64_t max_descriptors = 0;
  bool weaker = false;  ///< go on without a layer that the kernel lacks
  static constexpr auto fields() {
    return std::tuple(&Confinement::change_user, &Confinement::uid, &Confinement::gid,
                      &Confinement::empty_root, &Confinement::folders, &Confinement::calls,
                      &Confinement::socket_families, &Confinement::tcp_connect_ports,
                      &Confinement::tcp_sources, &Confinement::max_descriptors, &Confinement::weaker);
  }
};

/// The descriptors that confine() needs: the empty root, and one for each folder of the confinement.
struct ConfinementDescriptors {
  int empty_root = -1;
  std::vector<int> folders;
};

/// Gives up everything that `confinement` does not name, for good. Answers the layers that now hold, in
/// words. An error leaves the process half confined: report it and exit.
[[nodiscard]] Result<std::vector<std::string>> confine(const Confinement& confinement,
                                                       const ConfinementDescriptors& descriptors);

/// The layers that this kernel offers, without applying any: "landlock 7", "seccomp".
std::vector<std::string> available_layers(const Confinement& confinement);

}  // namespace sternpost
