#include "service/qmgr/boot_clock.h"

#include <ctime>

namespace sternpost::qmgr {

Microseconds BootClock::since_boot() {
  timespec t{};
  ::clock_gettime(CLOCK_BOOTTIME, &t);
  return Seconds(t.tv_sec) + Microseconds(t.tv_nsec / 1'000);
}

}  // namespace sternpost::qmgr
