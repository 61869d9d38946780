//! Who listens on a port, as far as Linux's `/proc` tells: for an error message.

use std::fs;
use std::path::Path;

/// A process, as in "tidings (pid 4711)"; `None` if it cannot be found out, for example because it
/// belongs to another user or the system is not Linux.
pub(crate) fn find(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .find_map(|table| listening_inode(&table, port))?;
    let wanted = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    processes
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok()))
        .find(|entry| holds(&entry.path(), &wanted))
        .map(|entry| describe(&entry.path()))
}

/// The socket that listens on `port`, in the format of proc_net_tcp(5): the second column is the
/// local address, the fourth the state (0A = listening), the tenth the inode.
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    let suffix = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let listens = columns.get(1)?.ends_with(&suffix) && *columns.get(3)? == "0A";
        if listens { columns.get(9)?.parse().ok() } else { None }
    })
}

fn holds(process: &Path, socket: &str) -> bool {
    let Ok(files) = fs::read_dir(process.join("fd")) else { return false };
    files
        .filter_map(Result::ok)
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|target| target.as_os_str() == socket)
}

fn describe(process: &Path) -> String {
    let pid = process.file_name().unwrap_or_default().to_string_lossy();
    match fs::read_to_string(process.join("comm")) {
        Ok(name) => format!("{} (pid {pid})", name.trim()),
        Err(_) => format!("pid {pid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_this_very_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = listener.local_addr().expect("bound").port();
        if Path::new("/proc/net/tcp").exists() {
            let holder = find(port).expect("it is us");
            assert!(holder.ends_with(&format!("(pid {})", std::process::id())), "{holder}");
        }
    }

    #[test]
    fn reads_the_table_of_the_kernel() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
            uid  timeout inode\n   0: 0100007F:2384 00000000:0000 0A 00000000:00000000 00:00000000 \
            00000000  1000        0 12345 1 0000000000000000 100 0 0 10 0\n   1: 0100007F:2385 \
            00000000:0000 01 00000000:00000000 00:00000000 00000000  1000        0 777 1";
        assert_eq!(listening_inode(table, 0x2384), Some(12345));
        assert_eq!(listening_inode(table, 0x2385), None, "connected, not listening");
    }
}
