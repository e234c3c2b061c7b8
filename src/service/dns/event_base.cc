#include "service/dns/event_base.h"

#include <sys/time.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>

#include "base/time.h"

namespace sternpost::dns {
namespace {

using Callback = void (*)(int, short, void*);
using boost::asio::posix::descriptor_base;

Microseconds duration_of(const timeval& time) {
  return Seconds(time.tv_sec) + Microseconds(time.tv_usec);
}

/// What an event does. Shared with the waits that are under way, for libunbound frees the event from within
/// its callback, and a wait that is cancelled still comes to its handler.
class Event : public std::enable_shared_from_this<Event> {
 public:
  Event(boost::asio::io_context& loop, int fd, short bits, Callback callback, void* argument)
      : descriptor_(loop), timer_(loop), fd_(fd), bits_(bits), callback_(callback), argument_(argument) {}

  void add_bits(short bits) {
    stop();
    bits_ = static_cast<short>(bits_ | bits);
  }
  void remove_bits(short bits) {
    stop();
    bits_ = static_cast<short>(bits_ & ~bits);
  }
  void set_descriptor(int fd) {
    stop();
    fd_ = fd;
  }
  void set_callback(Callback callback, void* argument) {
    callback_ = callback;
    argument_ = argument;
  }

  /// Without `timeout` the one that runs goes on. False where the descriptor cannot be waited for.
  bool start(const timeval* timeout) {
    if (!watch()) return false;
    if (timeout == nullptr) return true;
    timeout_ = duration_of(*timeout);
    start_timer();
    return true;
  }

  /// The descriptor is let go at once: libunbound closes it next.
  void stop() {
    ++round_;
    ++timer_round_;
    timeout_.reset();
    timer_.cancel();
    if (descriptor_.is_open()) descriptor_.release();
    watching_ = false;
  }

 private:
  [[nodiscard]] bool waits_for_descriptor() const {
    return fd_ >= 0 && (bits_ & (UB_EV_READ | UB_EV_WRITE)) != 0;
  }

  bool watch() {
    if (!waits_for_descriptor() || watching_) return true;
    boost::system::error_code error;
    if (!descriptor_.is_open()) descriptor_.assign(fd_, error);
    if (error) return false;
    watching_ = true;
    if ((bits_ & UB_EV_READ) != 0) wait(descriptor_base::wait_read, UB_EV_READ);
    if ((bits_ & UB_EV_WRITE) != 0) wait(descriptor_base::wait_write, UB_EV_WRITE);
    return true;
  }

  void wait(descriptor_base::wait_type what, short bit) {
    descriptor_.async_wait(what, [self = shared_from_this(), round = round_, bit](const auto& error) {
      // An error is for libunbound to find when it reads or writes.
      if (round == self->round_ && error != boost::asio::error::operation_aborted) self->fire(bit);
    });
  }

  void start_timer() {
    timer_.expires_after(*timeout_);
    timer_.async_wait(
        [self = shared_from_this(), round = ++timer_round_](const boost::system::error_code& error) {
          // One that was due already when it was set anew comes without an error.
          if (!error && round == self->timer_round_) self->fire(UB_EV_TIMEOUT);
        });
  }

  /// The callback comes last: it may free, change or add this event.
  void fire(short bit) {
    if ((bits_ & UB_EV_PERSIST) != 0) {
      rearm(bit);
    } else {
      stop();
    }
    callback_(fd_, bit, argument_);
  }

  void rearm(short bit) {
    if (timeout_) start_timer();
    if (bit == UB_EV_READ) wait(descriptor_base::wait_read, UB_EV_READ);
    if (bit == UB_EV_WRITE) wait(descriptor_base::wait_write, UB_EV_WRITE);
  }

  boost::asio::posix::stream_descriptor descriptor_;
  boost::asio::steady_timer timer_;
  int fd_;
  short bits_;
  Callback callback_;
  void* argument_;
  std::optional<Microseconds> timeout_;
  bool watching_ = false;
  std::uint64_t round_ = 0;        ///< waits for the descriptor of an earlier one are over
  std::uint64_t timer_round_ = 0;  ///< those of the timer
};

/// An event as libunbound sees it.
struct Handle {
  ub_event event{};
  std::shared_ptr<Event> self;
};
static_assert(std::is_standard_layout_v<Handle>, "libunbound's pointer to its part is one to the whole");

Event& of(ub_event* event) {
  return *reinterpret_cast<Handle*>(event)->self;
}

void add_bits(ub_event* event, short bits) {
  of(event).add_bits(bits);
}
void remove_bits(ub_event* event, short bits) {
  of(event).remove_bits(bits);
}
void set_descriptor(ub_event* event, int fd) {
  of(event).set_descriptor(fd);
}
void free_event(ub_event* event) {
  of(event).stop();
  const std::unique_ptr<Handle> owned(reinterpret_cast<Handle*>(event));
}
int add(ub_event* event, timeval* timeout) {
  return of(event).start(timeout) ? 0 : -1;
}
int remove(ub_event* event) {
  of(event).stop();
  return 0;
}
int add_timer(ub_event* event, ub_event_base*, Callback callback, void* argument, timeval* timeout) {
  of(event).stop();
  of(event).set_callback(callback, argument);
  return add(event, timeout);
}

/// Those of signals and of Windows are not called by libunbound.
ub_event_vmt kEventTable = {.add_bits = add_bits,
                            .del_bits = remove_bits,
                            .set_fd = set_descriptor,
                            .free = free_event,
                            .add = add,
                            .del = remove,
                            .add_timer = add_timer,
                            .del_timer = remove,
                            .add_signal = nullptr,
                            .del_signal = nullptr,
                            .winsock_unregister_wsaevent = nullptr,
                            .winsock_tcp_wouldblock = nullptr};

ub_event* new_event(ub_event_base* base, int fd, short bits, Callback callback, void* argument) {
  auto& loop = *reinterpret_cast<EventBase::Base*>(base)->loop;
  auto handle = std::make_unique<Handle>(ub_event{.magic = UB_EVENT_MAGIC, .vmt = &kEventTable},
                                         std::make_shared<Event>(loop, fd, bits, callback, argument));
  return &handle.release()->event;
}

void free_base(ub_event_base*) {}  // it is a member of its EventBase

ub_event_base_vmt kBaseTable = {.free = free_base,
                                .dispatch = nullptr,
                                .loopexit = nullptr,
                                .new_event = new_event,
                                .new_signal = nullptr,
                                .winsock_register_wsaevent = nullptr};

}  // namespace

EventBase::EventBase(boost::asio::io_context& loop) : base_{{UB_EVENT_MAGIC, &kBaseTable}, &loop} {}

static_assert(std::is_standard_layout_v<EventBase::Base>);

}  // namespace sternpost::dns
