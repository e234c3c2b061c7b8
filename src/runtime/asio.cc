// The one translation unit that holds Asio's implementation.
#include <boost/asio/impl/src.hpp>
