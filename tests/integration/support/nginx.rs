//! nginx before the issuer, as companies put it (with and without buffering), and before a hub.

use super::parts::tool;
use super::port::Port;
use super::wait::until_true;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running nginx.
pub struct Nginx {
    child: Child,
}

impl Nginx {
    /// Passes `port` on to `inner`. With `buffering` it holds answers back as it does by itself, and
    /// does not let the issuer's header change that.
    pub fn start(folder: &Path, port: &Port, inner: u16, buffering: bool) -> Self {
        let folder = folder.join("nginx");
        std::fs::create_dir_all(&folder).unwrap();
        let buffers = if buffering {
            // HTTP/1.0 to the issuer is nginx's own default. By HTTP/1.1 the stream comes in chunks, and each is
            // passed on as it comes: nothing would be held back.
            "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; proxy_http_version 1.0;"
        } else {
            "proxy_buffering off; proxy_http_version 1.1; proxy_set_header Connection \"\";"
        };
        let server = format!(
            "listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{inner}; {buffers}\n\
             proxy_set_header Host $http_host;\n\
             proxy_set_header X-Forwarded-For $remote_addr; proxy_read_timeout 300s; }}",
            port = port.number,
        );
        Self::serve(&folder, port, &server)
    }

    /// Ends TLS before a hub, with `hub.pem` and `hub.key` of `certificates`.
    pub fn with_tls(certificates: &Path, port: &Port, inner: u16) -> Self {
        let folder = certificates.join("nginx");
        std::fs::create_dir_all(&folder).unwrap();
        let server = format!(
            "listen 127.0.0.1:{port} ssl; ssl_certificate {at}/hub.pem; ssl_certificate_key {at}/hub.key;\n\
             client_max_body_size 0; location / {{ proxy_pass http://127.0.0.1:{inner}; proxy_http_version 1.1;\n\
             proxy_set_header Host $http_host; proxy_request_buffering off; proxy_buffering off; }}",
            port = port.number,
            at = certificates.display(),
        );
        Self::serve(&folder, port, &server)
    }

    fn serve(folder: &Path, port: &Port, server: &str) -> Self {
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};", folder.display()))
            .join(" ");
        let config = folder.join("nginx.conf");
        let text = format!(
            "daemon off; master_process off; worker_processes 1; error_log stderr crit; pid {pid};\n\
             events {{ worker_connections 4096; }}\n\
             http {{ access_log off; {temporary}\n\
             server {{ {server} }} }}\n",
            pid = folder.join("pid").display(),
        );
        std::fs::write(&config, text).unwrap();
        let child = Command::new(tool("NGINX"))
            .arg("-e")
            .arg("stderr")
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx (package nginx-light)");
        until_true("nginx to listen", || {
            TcpStream::connect(("127.0.0.1", port.number)).is_ok()
        });
        Self { child }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
