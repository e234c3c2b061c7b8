// What all stores share that run the queue's engine.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "spool/engine.h"
#include "spool/posix_disk.h"
#include "store.h"

namespace sternpost::bench {

/// As of a message that came by SMTP to one recipient.
mail::Envelope envelope();

/// The end of a message.
spool::Op delivery(QueueId id);

std::unique_ptr<spool::Disk> posix_disk(const Site& site);

template <class T>
T must(Result<T> result) {
  if (!result) die(result.error().text);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace sternpost::bench
