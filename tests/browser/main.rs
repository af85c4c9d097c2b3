//! The HTML report in a real browser: what it shows, what it hides, and that a manager's words do nothing there.

mod chromium;
mod pages;

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use chromium::{Chromium, FRAME, Theme};

/// Sets the address behind `#`, as a link does.
fn go(browser: &mut Chromium, hash: &str) {
    let hash = json!(hash);
    browser.evaluate(&format!(
        "new Promise(done => {{ addEventListener('hashchange', () => setTimeout(done), {{ once: true }}); location.hash = {hash}; }})"
    ));
}

/// How many scenarios are shown, as the page says and as can be counted.
fn shown(browser: &mut Chromium) -> (String, u64) {
    let said = browser.evaluate("document.getElementById('shown').textContent").as_str().unwrap().to_owned();
    let seen = browser.evaluate("[...document.querySelectorAll('#scenarios tbody tr')].filter(row => row.checkVisibility()).length");
    (said, seen.as_u64().unwrap())
}

#[test]
fn each_filter_shows_what_fits_and_nothing_else() {
    let report = pages::report(240);
    let folder = tempfile::tempdir().unwrap();
    let mut browser = Chromium::start();
    browser.open(&pages::page(&report, folder.path()));
    assert_eq!(shown(&mut browser), ("240 of 240 scenarios".into(), 240));

    let first = &report.scenarios[1];
    let (suite, requirement) = (&first.suite, &first.requirements[0]);
    let count =
        |fits: &dyn Fn(&passmuster::results::model::ScenarioResult) -> bool| report.scenarios.iter().filter(|one| fits(one)).count();
    let filters = [
        (format!("suite={suite}"), count(&|one| one.suite == *suite)),
        ("agent=codex".into(), 80),
        ("verdict=blocked".into(), 20),
        (format!("requirement={requirement}"), count(&|one| one.requirements.contains(requirement))),
        ("agent=codex&verdict=blocked".into(), count(&|one| one.agent.unwrap().name() == "codex" && one.verdict.words() == "blocked")),
        ("text=scenario+17%3A".into(), 1),
        ("text=nothing+has+this".into(), 0),
    ];
    for (hash, wanted) in filters {
        go(&mut browser, &hash);
        assert_eq!(shown(&mut browser), (format!("{wanted} of 240 scenarios"), wanted as u64), "{hash}");
    }
    let nothing = browser.evaluate("[...document.querySelectorAll('.nothing')].every(one => one.checkVisibility())");
    assert_eq!(nothing, json!(true), "every section says that nothing passes the filter");
    assert_eq!(browser.complaints(), Vec::<&Value>::new());
}

#[test]
fn a_filter_hides_findings_and_columns_too_and_the_address_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut browser = Chromium::start();
    browser.open(&pages::page(&pages::report(240), folder.path()));
    browser.evaluate("const agent = document.querySelector('select[name=agent]'); agent.value = 'gemini'; agent.dispatchEvent(new Event('input', { bubbles: true }))");
    assert_eq!(browser.evaluate("location.hash"), json!("#agent=gemini"));
    let strangers = "[...document.querySelectorAll('.case, #support [data-column]')].filter(one => one.checkVisibility() && (one.dataset.column ?? one.dataset.agent) !== 'gemini').length";
    assert_eq!(browser.evaluate(strangers), json!(0));
    browser.evaluate("new Promise(done => { document.querySelector('button[type=reset]').click(); setTimeout(done, 0) })");
    assert_eq!(shown(&mut browser).1, 240);
    assert_eq!(browser.evaluate("location.hash"), json!(""));
}

#[test]
fn a_managers_words_stay_words() {
    const TEXT: &str = "\"'><script>window.ran = 1</script><img src=\"http://127.0.0.1:9/\" onerror=\"window.ran = 1\"></style></title>\
                        <svg onload=\"window.ran = 1\"><a href=\"javascript:window.ran = 1\">{{ 7 * 7 }}<!-- &lt;b&gt;";
    let report = pages::report(36);
    let folder = tempfile::tempdir().unwrap();
    let mut browser = Chromium::start();
    let elements = "JSON.stringify(Object.entries([...document.querySelectorAll('*')].reduce((sum, one) => { \
                    sum[one.localName] = (sum[one.localName] ?? 0) + 1; return sum }, {})).sort())";
    // The same report with harmless words has the same elements.
    browser.open(&pages::page(&pages::hostile(report.clone(), "harmless"), folder.path()));
    let harmless = browser.evaluate(elements);
    let page = pages::page(&pages::hostile(report, TEXT), folder.path());
    browser.open(&page);
    assert_eq!(browser.evaluate(elements), harmless);
    assert_eq!(browser.evaluate("document.querySelector('.system').textContent"), json!(TEXT));
    assert_eq!(browser.evaluate("document.title.startsWith(document.querySelector('.system').textContent)"), json!(true));

    // Nor do they when all is opened, clicked and filtered by them.
    browser.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)");
    go(&mut browser, &format!("text={}", TEXT.replace('&', "%26").replace('#', "%23")));
    browser.evaluate("document.querySelectorAll('main a').forEach(one => one.click())");
    assert_eq!(browser.evaluate("typeof window.ran"), json!("undefined"));
    assert_eq!(browser.requests(), [format!("file://{}", page.display())], "the page asks for nothing but itself");
    assert_eq!(browser.complaints(), Vec::<&Value>::new());
}

#[test]
fn five_thousand_scenarios_are_filtered_in_an_instant() {
    let folder = tempfile::tempdir().unwrap();
    let page = pages::page(&pages::report(5000), folder.path());
    let weight = page.metadata().unwrap().len();
    assert!(weight < 8_000_000, "{weight} bytes");
    let mut browser = Chromium::start();
    browser.open(&page);
    for script in [
        "const agent = document.querySelector('select[name=agent]'); agent.value = 'codex'; agent.dispatchEvent(new Event('input', { bubbles: true }))",
        "document.querySelector('[type=reset]').click()",
    ] {
        browser.evaluate(FRAME);
        // Of a processor: what the clock says is also of all else that the machine does.
        let before = browser.thread_time();
        browser.evaluate(&format!("{script}; {FRAME}"));
        let took = browser.thread_time() - before;
        assert!(took < Duration::from_millis(200), "{script} took {took:?} of a processor");
    }
}

#[test]
fn the_overview_comes_first_rows_lead_to_their_cards_and_back_and_paper_shows_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut browser = Chromium::start();
    browser.look(1300, Theme::Dark);
    browser.open(&pages::page(&pages::report(240), folder.path()));
    let first = browser.evaluate("document.querySelector('.overview').getBoundingClientRect().top < 700");
    assert_eq!(first, json!(true), "what failed stands on the first screen");
    let order =
        browser.evaluate("[...document.querySelectorAll('.overview, #support, .findings, #scenarios')].map(one => one.id || 'overview')");
    assert_eq!(order, json!(["overview", "overview", "support", "Failed", "Warned", "scenarios"]));
    let lost = browser.evaluate(
        "[...document.querySelectorAll('a[href^=\"#found-\"], a[href^=\"#support-\"]')].filter(one => !document.querySelector(CSS.escape ? \
         '[id=\"' + one.hash.slice(1) + '\"]' : '')).length",
    );
    assert_eq!(lost, json!(0), "links to nowhere");
    let linked = browser.evaluate("document.querySelectorAll('#support a[href^=\"#found-\"]').length === document.querySelectorAll('article.requirement .back a').length");
    assert_eq!(linked, json!(true), "each card has its row, each row its card");
    let open = "[...document.querySelectorAll('details')].filter(one => !one.open).length";
    let closed = browser.evaluate(open);
    browser.evaluate("window.dispatchEvent(new Event('beforeprint'))");
    assert_eq!(browser.evaluate(open), json!(0), "on paper nothing can be opened");
    browser.evaluate("window.dispatchEvent(new Event('afterprint'))");
    assert_eq!(browser.evaluate(open), closed);
}

#[rstest]
fn nothing_is_cut_and_everything_can_be_read(#[values(Theme::Light, Theme::Dark)] theme: Theme, #[values(1200, 360)] width: u32) {
    let folder = tempfile::tempdir().unwrap();
    let mut browser = Chromium::start();
    browser.look(width, theme);
    browser.open(&pages::page(&pages::report(36), folder.path()));
    assert_eq!(browser.evaluate("matchMedia('(prefers-color-scheme: dark)').matches"), json!(theme == Theme::Dark));
    browser.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)");
    assert_eq!(browser.evaluate("document.documentElement.scrollWidth"), json!(width), "the page scrolls sideways");
    let cut = browser.evaluate(
        "[...document.querySelectorAll('.picture text')].filter(text => { const [one, all] = \
         [text, text.ownerSVGElement].map(it => it.getBoundingClientRect()); return one.left < all.left || one.right > all.right }).map(text => text.textContent)",
    );
    assert_eq!(cut, json!([]), "words that a picture cuts off");
    let faint = browser.evaluate(include_str!("faint.js"));
    assert_eq!(faint, json!([]), "texts with a contrast below 4.5 to 1");
}

#[test]
fn a_keyboard_and_a_screen_reader_are_enough() {
    let report = pages::report(36);
    let folder = tempfile::tempdir().unwrap();
    let mut browser = Chromium::for_a_screen_reader();
    browser.open(&pages::page(&report, folder.path()));
    browser.press("Tab", None);
    assert_eq!(browser.evaluate("document.activeElement.className"), json!("skip"), "the first stop skips to the results");
    browser.press("/", Some("/"));
    assert_eq!(browser.evaluate("document.activeElement.name"), json!("text"));
    for letter in ["1", "7", ":"] {
        browser.press(letter, Some(letter));
    }
    assert_eq!(shown(&mut browser).1, 1, "what is typed filters");

    let levels = browser.evaluate("[...document.querySelectorAll('h1, h2, h3, h4, h5')].map(one => Number(one.localName[1]))");
    let levels: Vec<u64> = levels.as_array().unwrap().iter().map(|level| level.as_u64().unwrap()).collect();
    assert!(levels[0] == 1 && levels.windows(2).all(|two| two[1] <= two[0] + 1), "headings leave no level out: {levels:?}");
    let said = |node: &Value| node["name"]["value"].as_str().unwrap_or_default().trim().to_owned();
    browser.evaluate("document.querySelector('[type=reset]').click(); new Promise(done => setTimeout(done))");
    let heard = browser.accessible();
    let count = |role: &str| heard.iter().filter(|node| node["role"]["value"] == role).count();
    let rows = 2 + report.requirements.len() + report.scenarios.len();
    assert_eq!((count("table"), count("row")), (2, rows), "what is laid out in blocks is still a table");
    let speechless: Vec<Value> = heard
        .into_iter()
        .filter(|node| node["ignored"] == json!(false))
        .filter(|node| {
            ["button", "combobox", "link", "searchbox", "image", "table", "region", "search", "columnheader"]
                .iter()
                .any(|role| node["role"]["value"] == *role)
        })
        .filter(|node| said(node).is_empty())
        .collect();
    assert_eq!(speechless, Vec::<Value>::new(), "what can be used or looked at has a name");
}
