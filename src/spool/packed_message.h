// A Message in as few bytes as it takes: a queue may hold millions that wait.
//
// Integers are of variable length, seven bits a byte, least significant first. A message that was accepted
// takes about 20 bytes, one whose recipient was deferred 50, and each further recipient 25.
#pragma once

#include <memory>

#include "spool/message.h"

namespace sternpost::spool {

class PackedMessage {
 public:
  explicit PackedMessage(const Message& message);

  [[nodiscard]] Message unpack() const;
  /// Of the heap, without what its allocator adds. For tests.
  [[nodiscard]] std::size_t size() const;

 private:
  std::unique_ptr<unsigned char[]> bytes_;
};

}  // namespace sternpost::spool
