#include "service/master/confinement.h"

namespace sternpost {
namespace {

std::string name_of(Place place) {
  switch (place) {
    case Place::spool:
      return "the spool folder";
    case Place::mail:
      return "the mail folder";
    case Place::log:
      return "the log folder";
    case Place::system_names:
      return "/etc";
    case Place::configuration:
      return "the configuration file";
  }
  return "";
}

}  // namespace

Confinement confinement_of(const Row& row, bool as_root, std::uint32_t uid_base, Owner mail_owner,
                           bool weaker) {
  const auto owner = owner_of(row, uid_base, mail_owner);
  Confinement confinement;
  confinement.change_user = as_root;
  confinement.uid = owner.uid;
  confinement.gid = owner.gid;
  confinement.empty_root = row.empty_root;
  for (const auto& grant : row.folders) confinement.folders.push_back({name_of(grant.place), grant.right});
  confinement.calls.assign(row.calls.begin(), row.calls.end());
  confinement.socket_families.assign(row.socket_families.begin(), row.socket_families.end());
  confinement.max_descriptors = row.max_descriptors;
  confinement.weaker = weaker;
  return confinement;
}

}  // namespace sternpost
