#include "engine_parts.h"

#include <fcntl.h>

namespace sternpost::bench {

mail::Envelope envelope() {
  mail::Envelope made;
  made.recipients.push_back(*mail::Mailbox::from_wire("user@bench.example.org"));
  made.arrival = wall_now();
  made.origin = {"ESMTP", "127.0.0.1:40312", "client.example.net", "s1"};
  return made;
}

spool::Op delivery(QueueId id) {
  return spool::RecordOutcomes{id,
                               {{0, mail::Disposition::delivered, {250, {2, 0, 0}, "taken"}, wall_now()}}};
}

std::unique_ptr<spool::Disk> posix_disk(const Site& site) {
  return std::make_unique<spool::PosixDisk>(UniqueFd(::open(site.folder.c_str(), O_RDONLY | O_DIRECTORY)));
}

}  // namespace sternpost::bench
