#pragma once

#include <spdlog/spdlog.h>

// Log lines are `event key=value ...` and go to stderr: stdout belongs to the protocol.
// error: someone must act. warn: degraded, heals itself. info: the node changes state.
// debug: per request. No payloads, vectors, texts or secrets.
#define QV_LOG_ERROR(...) ::spdlog::error(__VA_ARGS__)
#define QV_LOG_WARN(...) ::spdlog::warn(__VA_ARGS__)
#define QV_LOG_INFO(...) ::spdlog::info(__VA_ARGS__)
#define QV_LOG_DEBUG(...) ::spdlog::debug(__VA_ARGS__)
#define QV_LOG_TRACE(...) ::spdlog::trace(__VA_ARGS__)
