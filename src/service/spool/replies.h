// What an intake tells its client about a message that spool did not take.
#pragma once

#include "base/result.h"
#include "mail/status.h"

namespace sternpost::spool_service {

mail::Reply message_too_large();    ///< 552 5.3.4
mail::Reply no_memory();            ///< 452 4.3.1: too much is arriving at once
mail::Reply too_many_recipients();  ///< 452 4.5.3 of RFC 5321 section 4.5.3.1.10

/// 452 4.3.1 for lack of space, 451 4.3.0 for a disk that fails, 554 5.3.0 for what no repetition helps.
mail::Reply reply_for(const Error& error);

}  // namespace sternpost::spool_service
