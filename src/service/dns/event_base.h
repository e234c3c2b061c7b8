// libunbound's pluggable event interface (<unbound-event.h>) on our event loop: no thread, no fork, no second
// loop.
#pragma once

#include <unbound-event.h>

#include <boost/asio/io_context.hpp>

namespace sternpost::dns {

/// What ub_ctx_create_ub_event() takes. Has to outlive the context that is made with it, and `loop` both. The
/// events are libunbound's: it makes and frees them, also from within their callbacks. Their descriptors are
/// libunbound's too and are never closed here.
///
/// The semantics are those of libevent, for which libunbound was written: an event fires once after each add
/// unless it persists; a persistent one with a timeout waits for the whole of it again each time it fired.
class EventBase {
 public:
  explicit EventBase(boost::asio::io_context& loop);
  EventBase(const EventBase&) = delete;
  EventBase& operator=(const EventBase&) = delete;

  ub_event_base* get() { return &base_.base; }

  /// As libunbound sees it: `base` comes first.
  struct Base {
    ub_event_base base{};
    boost::asio::io_context* loop = nullptr;
  };

 private:
  Base base_;
};

}  // namespace sternpost::dns
