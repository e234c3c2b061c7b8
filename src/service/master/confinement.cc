#include "service/master/confinement.h"

#include <algorithm>
#include <utility>

namespace sternpost {
Confinement confinement_of(const Row& row, bool as_root, std::uint32_t uid_base, Owner mail_owner,
                           bool weaker, std::vector<std::uint16_t> tcp_ports) {
  const auto owner = owner_of(row, uid_base, mail_owner);
  Confinement confinement;
  confinement.change_user = as_root;
  confinement.uid = owner.uid;
  confinement.gid = owner.gid;
  confinement.empty_root = row.empty_root;
  for (const auto& grant : row.folders)
    confinement.folders.push_back({std::string(to_string(grant.place)), grant.right});
  confinement.calls.assign(row.calls.begin(), row.calls.end());
  confinement.socket_families.assign(row.socket_families.begin(), row.socket_families.end());
  confinement.tcp_connect_ports = std::move(tcp_ports);
  confinement.tcp_sources = row.outbound == Outbound::smtp;
  confinement.max_descriptors = row.max_descriptors;
  confinement.weaker = weaker;
  return confinement;
}

std::vector<std::uint16_t> tcp_ports_of(const Row& row, const config::MasterSlice& settings) {
  switch (row.outbound) {
    case Outbound::dns:
      return settings.dns_ports;
    case Outbound::smtp:
      return settings.smtp_ports;
    case Outbound::nobody:
      break;
  }
  return {};
}

bool may_be_connected(const Row& row, const config::MasterSlice& settings, const std::string& path) {
  return row.outbound == Outbound::smtp &&
         std::ranges::find(settings.local_sockets, path) != settings.local_sockets.end();
}

}  // namespace sternpost
