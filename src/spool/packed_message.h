// A Message in as few bytes as it takes: a queue may hold millions that wait.
//
// Integers are of variable length, seven bits a byte, least significant first. A message that was accepted
// takes about 20 bytes, one whose recipient was deferred 50, and each further recipient 25.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "spool/message.h"

namespace sternpost::spool {

class PackedMessage {
 public:
  explicit PackedMessage(const Message& message);

  [[nodiscard]] Message unpack() const;
  /// As they are kept, and as a checkpoint has them; valid as long as this is.
  [[nodiscard]] std::string_view bytes() const;
  /// What bytes() gave once; nothing for anything else.
  static std::optional<Message> parse(std::string_view bytes);

 private:
  std::unique_ptr<char[]> bytes_;
};

}  // namespace sternpost::spool
