// Messages from anywhere: the reader stays within the message, and hops do not depend on how it is cut.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "mail/header.h"

using namespace sternpost::mail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t cut = data[0] + 1U;
  const std::string_view message(reinterpret_cast<const char*>(data) + 1, size - 1);

  HeaderReader reader(message);
  std::size_t read = 0;
  while (const auto field = reader.next()) {
    if (field->name.empty()) std::abort();
    read += field->name.size() + field->value.size() + 1;
    if (unfold(field->value).find_first_of("\r\n") != std::string::npos) std::abort();
  }
  if (read > reader.body_offset() || reader.body_offset() > message.size()) std::abort();

  HopCounter counter;
  for (std::size_t at = 0; at < message.size(); at += cut) counter.feed(message.substr(at, cut));
  if (counter.hops() != count_received(message)) std::abort();
  return 0;
}
