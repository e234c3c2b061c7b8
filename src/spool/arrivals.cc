#include "spool/arrivals.h"

namespace sternpost::spool {

void Arrivals::add(QueueId id, const Message& message) {
  packed_.try_emplace(id, message);
  ids_.push_back(id);
  slot_ = message.data.slot;
  need_.bytes += Index::record_bytes(message);
  ++need_.items;
  file_bytes_ += message.file_bytes;
}

void Arrivals::clear() {
  if (!packed_.empty()) packed_.clear();  // which passes over all buckets
  ids_.clear();
  need_ = {};
  file_bytes_ = 0;
}

}  // namespace sternpost::spool
