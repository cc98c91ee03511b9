use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::connector::LOOKUPS_PER_OWNER_MAX;
use super::*;

const LOOPBACK: [(&str, &str); 2] = [("dev", "true"), ("egress_allow_loopback", "true")];

fn egress(pairs: &[(&str, &str)]) -> Egress {
    Egress::new(&Config::from_pairs(pairs).unwrap()).unwrap()
}

/// Looks every name up as `answer` says, given how many look-ups came before.
fn lying(answer: impl Fn(usize) -> Vec<&'static str> + Send + Sync + 'static) -> Resolve {
    let asked = AtomicUsize::new(0);
    Arc::new(move |_| {
        let answer = answer(asked.fetch_add(1, Ordering::SeqCst));
        let answer = answer.into_iter().map(|it| it.parse::<IpAddr>().unwrap()).collect();
        Box::pin(async move { Ok(answer) })
    })
}

fn with_resolver(pairs: &[(&str, &str)], resolve: Resolve) -> Egress {
    Egress::with_resolver(&Config::from_pairs(pairs).unwrap(), resolve).unwrap()
}

fn get(url: &str) -> Request<Full<Bytes>> {
    Request::get(url).body(Full::default()).unwrap()
}

async fn failure(egress: &Egress, url: &str, limits: Limits) -> EgressError {
    match egress.send(get(url), limits).await {
        Ok(answer) => panic!("{url} answered {}", answer.status),
        Err(error) => error,
    }
}

/// Takes every connection, answers `answer` to whatever comes, and counts.
struct Peer {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Peer {
    async fn at(ip: &str, answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let counter = accepted.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut buffer = vec![0; 4096];
                    let _ = stream.read(&mut buffer).await;
                    let _ = stream.write_all(answer).await;
                    if answer.is_empty() {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self { address, accepted }
    }

    fn count(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

#[tokio::test]
async fn e02_no_spelling_of_a_loopback_address_gets_through() {
    let tripwire = Peer::at("127.0.0.1", OK).await;
    let port = tripwire.address.port();
    let open_http = [("egress_allow_http", "true"), ("egress_allow", "10.9.9.9")];
    let (strict, http) = (egress(&[]), egress(&open_http));
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "0",
        "0.0.0.0",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "a.localhost",
        "127.0.0.1.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "169.254.169.254",
        "metadata.google.internal",
        "%31%32%37.0.0.1",
    ] {
        for (egress, scheme) in [(&strict, "https"), (&http, "http")] {
            let url = format!("{scheme}://{host}:{port}/");
            // Some are not even URLs to the HTTP library.
            let Ok(request) = Request::get(&url).body(Full::default()) else { continue };
            let Err(error) = egress.send(request, egress.limits()).await else {
                panic!("{url} was answered")
            };
            assert_eq!(error.failure(), Failure::NotAllowed, "{url}: {}", error.detail());
            assert!(!error.maybe_sent(), "{url}");
        }
    }
    assert_eq!(tripwire.count(), 0, "nobody connected");
}

#[tokio::test]
async fn e02_one_private_address_among_public_ones_spoils_them_all() {
    let good = Peer::at("127.0.0.2", OK).await;
    let pairs = [("egress_allow", "127.0.0.2"), ("egress_allow_http", "true")];
    let egress = with_resolver(&pairs, lying(|_| vec!["127.0.0.2", "::ffff:10.0.0.1"]));
    let url = format!("http://mixed.example:{}/", good.address.port());
    let error = failure(&egress, &url, egress.limits()).await;
    assert_eq!(error.failure(), Failure::NotAllowed, "{}", error.detail());
    assert_eq!(good.count(), 0);
}

#[tokio::test]
async fn e05_a_name_that_turns_to_loopback_is_never_connected_to() {
    const TRIES: usize = 1000;
    let allowed = Peer::at("127.0.0.2", OK).await;
    let port = allowed.address.port();
    let tripwire = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    // First the allowed address, then loopback, and so on, as a name server with TTL 0 would.
    let turning = lying(|asked| vec![if asked % 2 == 0 { "127.0.0.2" } else { "127.0.0.1" }]);
    let pairs = [("egress_allow", "127.0.0.2"), ("egress_allow_http", "true")];
    let egress = with_resolver(&pairs, turning);
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..TRIES {
        match egress.send(get(&format!("http://turning.example:{port}/")), egress.limits()).await {
            Ok(answer) => {
                assert_eq!(answer.body, "ok");
                answered += 1;
            }
            Err(error) => {
                assert_eq!(error.failure(), Failure::NotAllowed, "{}", error.detail());
                refused += 1;
            }
        }
    }
    assert_eq!((answered, refused), (TRIES / 2, TRIES / 2));
    let touched = tokio::time::timeout(Duration::from_millis(50), tripwire.accept()).await;
    assert!(touched.is_err(), "somebody connected to loopback");
}

#[tokio::test]
async fn e04_scheme_port_user_and_name_are_judged_before_any_look_up() {
    let egress = with_resolver(&[], lying(|_| panic!("no name may be looked up")));
    let refused = [
        ("http://example.com/", Ports::Any),
        ("ftp://example.com/", Ports::Any),
        ("https://user@example.com/", Ports::Any),
        ("https://user:pass@example.com/", Ports::Any),
        ("https://metadata.google.internal./", Ports::Any),
        ("https://example.com:22/", Ports::Web),
        ("https://example.com:80/", Ports::Web),
        ("https://example.com:99999/", Ports::Any),
        ("https://example.com:0/", Ports::Any),
        ("https://256.1.1.1/", Ports::Any),
        ("https://1.2.3.4.5/", Ports::Any),
        ("https://example.com../", Ports::Any),
        ("/relative", Ports::Any),
    ];
    for (url, ports) in refused {
        let Ok(uri) = url.parse() else { continue };
        let error = egress.check(&uri, ports).expect_err(url);
        assert_eq!(error.failure(), Failure::NotAllowed, "{url}");
    }
    let accepted = [
        ("https://example.com/", Ports::Web),
        ("https://example.com:8443/x", Ports::Web),
        ("https://example.com:80/", Ports::WebOrHttp),
        ("https://example.com:2222/", Ports::Any),
        ("https://b\u{fc}cher.example/", Ports::Web),
    ];
    for (url, ports) in accepted {
        let Ok(uri) = url.parse() else { continue };
        assert!(egress.check(&uri, ports).is_ok(), "{url}");
    }
}

#[tokio::test]
async fn e04_the_host_is_made_canonical_and_the_path_is_left_alone() {
    let policy = Policy::open();
    let canonical =
        |url: &str| target::admit(&url.parse().unwrap(), Ports::Any, &policy).unwrap().to_string();
    assert_eq!(
        canonical("https://EXAMPLE.com./a%2fb/../c?x=%41"),
        "https://example.com/a%2fb/../c?x=%41"
    );
    assert_eq!(canonical("https://0x7f.1:8443"), "https://127.0.0.1:8443/");
    assert_eq!(canonical("https://[0:0::1]/"), "https://[::1]/");
}

#[tokio::test]
async fn e06_a_redirect_is_an_answer_and_nobody_goes_there() {
    let inside = Peer::at("127.0.0.3", OK).await;
    let location = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
        inside.url("/")
    );
    let outside = Peer::at("127.0.0.1", location.leak().as_bytes()).await;
    let egress = egress(&LOOPBACK);
    let answer = egress.send(get(&outside.url("/")), egress.limits()).await.unwrap();
    assert_eq!(answer.status, 307);
    assert_eq!(answer.headers["location"], inside.url("/"));
    assert_eq!((outside.count(), inside.count()), (1, 0));
}

#[tokio::test]
async fn e07_whatever_happened_the_caller_reads_the_same() {
    let silent = Peer::at("127.0.0.1", b"").await;
    let garbled = Peer::at("127.0.0.1", b"SSH-2.0-OpenSSH_9\r\n").await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let egress = egress(&LOOPBACK);
    let short = Limits { first_byte_timeout: Duration::from_millis(100), ..egress.limits() };
    let cases = [
        (silent.url("/"), Failure::Timeout, true),
        (garbled.url("/"), Failure::Protocol, true),
        (format!("http://{closed}/"), Failure::Connect, false),
        ("https://10.0.0.1/".to_owned(), Failure::NotAllowed, false),
    ];
    let mut texts = Vec::new();
    for (url, expected, sent) in cases {
        let error = failure(&egress, &url, short).await;
        assert_eq!(error.failure(), expected, "{url}: {}", error.detail());
        assert_eq!(error.maybe_sent(), sent, "{url}: {}", error.detail());
        texts.push(error.to_string());
    }
    texts.dedup();
    assert_eq!(texts, ["the address could not be reached"]);
}

#[tokio::test]
async fn an_answer_over_the_limit_is_cut_whether_it_says_so_or_not() {
    let announced = Peer::at("127.0.0.1", b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n").await;
    let body: &'static str = "x".repeat(3000).leak();
    let chunked = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nbb8\r\n{body}\r\n");
    let chunked = Peer::at("127.0.0.1", chunked.leak().as_bytes()).await;
    let egress = egress(&LOOPBACK);
    let small = Limits { answer_bytes_max: 2000, ..egress.limits() };
    for peer in [&announced, &chunked] {
        let error = failure(&egress, &peer.url("/"), small).await;
        assert_eq!(error.failure(), Failure::TooLarge, "{}", error.detail());
    }
    let headers = "x: y\r\n".repeat(150);
    let flood = format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n");
    let flood = Peer::at("127.0.0.1", flood.leak().as_bytes()).await;
    let error = failure(&egress, &flood.url("/"), small).await;
    assert_eq!(error.failure(), Failure::Protocol, "{}", error.detail());
}

#[tokio::test]
async fn an_answer_that_drips_ends_at_the_total_limit() {
    let drip = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let peer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(drip).await.unwrap();
        std::future::pending::<()>().await;
    });
    let egress = egress(&LOOPBACK);
    let limits = Limits { total_timeout: Duration::from_millis(200), ..egress.limits() };
    let error = failure(&egress, &url, limits).await;
    assert_eq!(error.failure(), Failure::Timeout, "{}", error.detail());
    assert!(error.maybe_sent());
    peer.abort();
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_is_silent_ends_at_the_connect_limit() {
    let resolve: Resolve = Arc::new(|_| Box::pin(std::future::pending()));
    let egress = with_resolver(&[], resolve);
    let began = Instant::now();
    let error = failure(&egress, "https://silent.example/", egress.limits()).await;
    assert_eq!(error.failure(), Failure::Timeout);
    assert_eq!(began.elapsed().as_secs(), 5);
    assert!(!error.maybe_sent());
}

#[tokio::test]
async fn a_name_without_an_address_is_told_to_the_operator_only() {
    let resolve: Resolve =
        Arc::new(|_| Box::pin(async { Err(std::io::Error::other("NXDOMAIN-7")) }));
    let egress = with_resolver(&[], resolve);
    let error = failure(&egress, "https://gone.example/", egress.limits()).await;
    assert_eq!(error.failure(), Failure::Dns);
    assert!(error.detail().contains("NXDOMAIN-7"));
    assert!(!error.to_string().contains("gone"));
}

#[tokio::test(start_paused = true)]
async fn one_owners_slow_names_keep_nobody_else_from_looking_up() {
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    let resolve: Resolve = Arc::new(move |name| {
        heard.lock().unwrap().push(name.clone());
        Box::pin(async move {
            if name.starts_with("slow") {
                std::future::pending::<()>().await;
            }
            Ok(Vec::new())
        })
    });
    let egress = with_resolver(&[], resolve);
    let ask = async |owner: &str, name: String| {
        let request = get(&format!("https://{name}.example/"));
        let request = request.map(|it| it.map_err(|never| match never {}).boxed_unsync());
        egress.stream_for(owner, request, egress.limits()).await.unwrap_err().failure()
    };
    let slow = (0..LOOKUPS_PER_OWNER_MAX).map(|nth| ask("one", format!("slow{nth}")));
    let slow = futures::future::join_all(slow).await;
    assert!(slow.iter().all(|it| *it == Failure::Timeout), "{slow:?}");
    // They go on, although nobody waits for them any more.
    assert_eq!(ask("one", "quick1".to_owned()).await, Failure::Timeout);
    assert_eq!(ask("two", "quick2".to_owned()).await, Failure::Dns);
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), LOOKUPS_PER_OWNER_MAX + 1);
    assert_eq!(asked.last().unwrap(), "quick2.example");
}

/// Answers whatever comes with the line and the host that it was asked for.
async fn mirror() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = hyper::service::service_fn(|request: Request<Incoming>| async move {
                let host = request.headers()["host"].to_str().unwrap();
                let body = Full::new(Bytes::from(format!("{host} {}", request.uri())));
                Ok::<_, std::convert::Infallible>(Response::new(body))
            });
            let stream = hyper_util::rt::TokioIo::new(stream);
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            tokio::spawn(async move { server.serve_connection(stream, service).await.ok() });
        }
    });
    address
}

#[tokio::test]
async fn in_development_a_host_can_be_led_to_this_machine() {
    let at = mirror().await;
    let routes = format!("api.Example.com=http://{at}/example/, 1.1.1.1=http://{at}");
    let pairs = [LOOPBACK[0], LOOPBACK[1], ("egress_dev_routes", &routes)];
    let egress = with_resolver(&pairs, lying(|_| panic!("no name may be looked up")));
    for (url, expected) in [
        ("https://api.example.com/a%2Fb/../c?d=%41", "/example/a%2Fb/../c?d=%41"),
        ("https://API.example.com.", "/example/"),
        ("http://1.1.1.1/x", "/x"),
    ] {
        let answer = egress.send(get(url), egress.limits()).await.unwrap();
        assert_eq!(answer.body, format!("{at} {expected}"), "{url}");
    }
    // Another port is another server, and what is not allowed is not led anywhere.
    let elsewhere = failure(&egress, "https://1.1.1.1:22/", web(&egress)).await;
    assert_eq!(elsewhere.failure(), Failure::NotAllowed);
}

fn web(egress: &Egress) -> Limits {
    egress.limits().for_tenant_url()
}

/// Serves one self-made certificate for `localhost`; gives its PEM and address.
async fn tls_peer() -> (String, SocketAddr) {
    let (pem, address, _) = tls_peer_that_dies().await;
    (pem, address)
}

/// The same, with how to let the connections that it has die: they stay open, and nothing is read
/// from them or written to them any more.
async fn tls_peer_that_dies() -> (String, SocketAddr, watch::Sender<()>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (death, listen_to_death) = watch::channel(());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let service = hyper::service::service_fn(|request: Request<Incoming>| async move {
                let body = Full::new(Bytes::from(format!("{:?}", request.version())));
                Ok::<_, std::convert::Infallible>(Response::new(body))
            });
            let stream = hyper_util::rt::TokioIo::new(stream);
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let mut death = listen_to_death.clone();
            death.mark_unchanged();
            tokio::spawn(async move {
                let serving = server.serve_connection(stream, service);
                tokio::pin!(serving);
                tokio::select! {
                    biased;
                    Ok(()) = death.changed() => std::future::pending().await,
                    _ = &mut serving => {}
                }
            });
        }
    });
    (made.cert.pem(), address, death)
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_refused_and_a_known_one_gives_http2() {
    let (pem, address) = tls_peer().await;
    let url = format!("https://localhost:{}/", address.port());
    let stranger = egress(&LOOPBACK);
    let error = failure(&stranger, &url, stranger.limits()).await;
    assert_eq!(error.failure(), Failure::Tls, "{}", error.detail());
    assert!(!error.maybe_sent());

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pem).unwrap();
    let path = file.path().to_str().unwrap();
    let knowing = egress(&[LOOPBACK[0], LOOPBACK[1], ("egress_ca_file", path)]);
    let answer = knowing.send(get(&url), knowing.limits()).await.unwrap();
    assert_eq!(answer.body, "HTTP/2.0");
    let error = failure(&knowing, &format!("https://{address}/"), knowing.limits()).await;
    assert_eq!(error.failure(), Failure::Tls, "the name must match: {}", error.detail());
}

#[tokio::test(start_paused = true)]
async fn an_http2_connection_that_died_is_noticed_and_left() {
    let (pem, address, death) = tls_peer_that_dies().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pem).unwrap();
    let path = file.path().to_str().unwrap();
    let egress = egress(&[LOOPBACK[0], LOOPBACK[1], ("egress_ca_file", path)]);
    let url = format!("https://localhost:{}/", address.port());
    let patience = Duration::from_hours(1);
    let limits =
        Limits { first_byte_timeout: patience, total_timeout: patience, ..egress.limits() };
    assert_eq!(egress.send(get(&url), limits).await.unwrap().body, "HTTP/2.0");
    death.send(()).unwrap();
    let error = failure(&egress, &url, limits).await;
    assert_eq!(error.failure(), Failure::Protocol, "not only late: {}", error.detail());
    assert_eq!(egress.send(get(&url), limits).await.unwrap().body, "HTTP/2.0");
}

#[tokio::test]
async fn a_streamed_answer_arrives_before_it_has_ended() {
    let part = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(part).await.unwrap();
        std::future::pending::<()>().await;
    });
    let egress = egress(&LOOPBACK);
    let request = get(&url).map(|it| it.map_err(|never| match never {}).boxed_unsync());
    let mut response = egress.stream(request, egress.limits()).await.unwrap();
    let frame = response.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "first");
}
