// The grammar of the configuration file alone: fast enough to reach the corners of the TOML parser.
#include <cstdint>

#include "config/document.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)sternpost::config::parse_document({reinterpret_cast<const char*>(data), size});
  return 0;
}
