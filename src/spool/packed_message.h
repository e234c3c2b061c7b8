// A Message in as few bytes as it takes: a queue may hold millions that wait.
//
// A message that was accepted takes about 20 bytes, one whose recipient was deferred 50, and each further
// recipient 25.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "base/packed.h"
#include "spool/message.h"

namespace sternpost::spool {

class PackedMessage {
 public:
  explicit PackedMessage(const Message& message);

  [[nodiscard]] Message unpack() const;
  /// The same without its recipients, however many they are.
  [[nodiscard]] Outline outline() const;
  /// As they are kept, and as a checkpoint has them; valid as long as this is.
  [[nodiscard]] std::string_view bytes() const;
  /// What bytes() gave once; nothing for anything else.
  static std::optional<Message> parse(std::string_view bytes);

 private:
  std::unique_ptr<const char[]> bytes_;
};

}  // namespace sternpost::spool
