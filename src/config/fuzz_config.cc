// The configuration from its octets to the slices: whatever is in the file, there are values or printable
// errors.
#include <cstdint>
#include <cstdlib>

#include "config/load.h"
#include "config/make_slices.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sternpost::config;
  const auto values = load({{reinterpret_cast<const char*>(data), size}, "f", ""});
  if (values) {
    make_slices(*values);
    return 0;
  }
  if (values.error().empty() || values.error().size() > kMaxErrors + 1) std::abort();
  for (const auto& line : values.error()) {
    for (const char c : line) {
      if (c < 0x20 || c > 0x7E) std::abort();
    }
  }
  return 0;
}
