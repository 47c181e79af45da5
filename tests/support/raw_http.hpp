#pragma once
// RawHttp: one blocking TCP connection for tests: sends exactly the bytes it is told, reads answers.
//
// Limits:  every read gives up after kPatience, so that a test fails rather than hangs.
// Threads: one.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

namespace scanmq::test {

struct RawAnswer {
    int status = 0;  // 0: the connection ended before a whole answer was there
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;                            // chunks put together
    bool whole = false;                          // by its length or its last chunk
};

class RawHttp {
  public:
    static constexpr std::chrono::seconds kPatience{20};

    explicit RawHttp(const std::string& address) {
        const std::size_t colon = address.rfind(':');
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
        inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
        fd_ = socket(AF_INET, SOCK_STREAM, 0);
        const timeval patience{kPatience.count(), 0};
        setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        const void* raw = &to;
        if (connect(fd_, static_cast<const sockaddr*>(raw), sizeof to) != 0) {
            throw std::runtime_error("cannot connect to " + address);
        }
    }
    ~RawHttp() { close(); }
    RawHttp(const RawHttp&) = delete;
    RawHttp& operator=(const RawHttp&) = delete;

    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    void end_sending() { shutdown(fd_, SHUT_WR); }

    // False: the peer closed.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    // With Host and, where there is a body, its length.
    bool request(const std::string& method, const std::string& target, const std::string& body = {},
                 const std::string& headers = {}) {
        std::string text = method + " " + target + " HTTP/1.1\r\nHost: test\r\n" + headers;
        if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
        return send(text + "\r\n" + body);
    }
    RawAnswer call(const std::string& method, const std::string& target,
                   const std::string& body = {}, const std::string& headers = {}) {
        request(method, target, body, headers);
        return answer(method == "HEAD");
    }

    // The next answer; interim ones (100) count as answers of their own.
    RawAnswer answer(bool without_body = false) {
        RawAnswer out;
        std::size_t end = 0;
        while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
            if (!more()) return out;
        }
        read_head(buffer_.substr(0, end + 2), out);
        buffer_.erase(0, end + 4);
        if (without_body || out.status == 204 || out.status < 200) {
            out.whole = true;
        } else if (out.headers["transfer-encoding"] == "chunked") {
            while (read_chunk(out)) {
            }
        } else {
            const std::size_t size = std::stoul("0" + out.headers["content-length"]);
            while (buffer_.size() < size && more()) {
            }
            out.whole = buffer_.size() >= size;
            out.body = buffer_.substr(0, size);
            buffer_.erase(0, size);
        }
        return out;
    }
    // The next line of a chunked body that begins with answer_head(); the newline is taken off.
    RawAnswer answer_head() {
        RawAnswer out;
        std::size_t end = 0;
        while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
            if (!more()) return out;
        }
        read_head(buffer_.substr(0, end + 2), out);
        buffer_.erase(0, end + 4);
        return out;
    }
    bool read_chunk(RawAnswer& out) {
        std::size_t end = 0;
        while ((end = buffer_.find("\r\n")) == std::string::npos) {
            if (!more()) return false;
        }
        const std::size_t size = std::stoul(buffer_.substr(0, end), nullptr, 16);
        while (buffer_.size() < end + 2 + size + 2) {
            if (!more()) return false;
        }
        out.body += buffer_.substr(end + 2, size);
        buffer_.erase(0, end + 2 + size + 2);
        if (size == 0) out.whole = true;
        return size != 0;
    }

    // True: the peer closed, within kPatience, without another byte.
    bool closed() {
        if (!buffer_.empty()) return false;
        char byte{};
        const ssize_t got = recv(fd_, &byte, 1, 0);
        return got == 0 || (got < 0 && errno == ECONNRESET);
    }

  private:
    bool more() {
        char bytes[16 << 10];
        const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
        if (got <= 0) return false;
        buffer_.append(bytes, static_cast<std::size_t>(got));
        return true;
    }
    static void read_head(const std::string& head, RawAnswer& out) {
        out.status = std::stoi(head.substr(head.find(' ') + 1, 3));
        std::size_t at = head.find("\r\n") + 2;
        while (at < head.size()) {
            const std::size_t end = head.find("\r\n", at);
            const std::size_t colon = head.find(':', at);
            std::string name = head.substr(at, colon - at);
            for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            out.headers[name] = head.substr(colon + 2, end - colon - 2);
            at = end + 2;
        }
    }

    int fd_ = -1;
    std::string buffer_;
};

}  // namespace scanmq::test
