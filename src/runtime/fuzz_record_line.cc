// A line of the history: any octets are refused or make a record that prints and is read back.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "runtime/record_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sternpost;
  const auto record = parse_json_line({reinterpret_cast<const char*>(data), size});
  if (!record) return 0;
  std::string json;
  append_json_line(json, *record);
  if (parse_json_line(json) != record) std::abort();
  std::string line;
  append_log_line(line, *record);
  for (const char c : line.substr(0, line.size() - 1)) {
    if (c < 0x20 || c > 0x7E) std::abort();
  }
  return 0;
}
