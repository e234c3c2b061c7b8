#include "runtime/run_loop.h"

#include <algorithm>
#include <thread>

namespace sternpost {

bool Courtesy::due() {
  if (sleeps_left_ == 0) return true;
  --sleeps_left_;
  return false;
}

void Courtesy::tried(bool brought_work) {
  pause_ = brought_work ? 0 : std::min(2 * pause_ + 1, kLongestPause);
  sleeps_left_ = pause_;
}

void run_loop(boost::asio::io_context& loop) {
  Courtesy courtesy;
  while (!loop.stopped()) {
    if (loop.poll() > 0 || loop.stopped()) continue;
    if (courtesy.due()) {
      std::this_thread::yield();
      const bool brought_work = loop.poll() > 0;
      courtesy.tried(brought_work);
      if (brought_work) continue;
    }
    loop.run_one();
  }
}

}  // namespace sternpost
