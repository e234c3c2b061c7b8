#include "base/time.h"

#include <fmt/format.h>

#include <ctime>

namespace sternpost {

WallTime wall_now() {
  using namespace std::chrono;
  return {duration_cast<microseconds>(system_clock::now().time_since_epoch()).count()};
}

std::string to_rfc3339(WallTime t) {
  auto seconds = t.microseconds / 1'000'000;
  auto fraction = t.microseconds % 1'000'000;
  if (fraction < 0) {
    fraction += 1'000'000;
    --seconds;
  }
  const auto as_time_t = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&as_time_t, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, fraction);
}

}  // namespace sternpost
