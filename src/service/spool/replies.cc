#include "service/spool/replies.h"

#include <cerrno>

namespace sternpost::spool_service {

mail::Reply message_too_large() {
  return {552, {5, 3, 4}, "Message too large"};
}

mail::Reply no_memory() {
  return {452, {4, 3, 1}, "Too much mail is arriving at once"};
}

mail::Reply too_many_recipients() {
  return {452, {4, 5, 3}, "Too many recipients"};
}

mail::Reply reply_for(const Error& error) {
  if (error.what_to_do == ErrorClass::permanent)
    return {554, {5, 3, 0}, "The queue does not take this message"};
  if (error.errno_value == ENOSPC || error.errno_value == EDQUOT) {
    return {452, {4, 3, 1}, "Insufficient system storage"};
  }
  return {451, {4, 3, 0}, "The queue cannot be written now"};
}

}  // namespace sternpost::spool_service
