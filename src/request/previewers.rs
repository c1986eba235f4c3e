//! Programs that fetch a link because somebody sent or found it, by the names that they give themselves.
//!
//! None of them sends a marker header. Each name is a part of `User-Agent`, in any case, and too long or too odd to be a
//! part of a browser's or of a home automation's.

/// The names, in small letters, each with a comma behind it and its source. One text, because a static program adjusts each
/// address in its constants when it begins.
const NAMES: &str = concat!(
    "whatsapp/,",            // faq.whatsapp.com: link previews; "WhatsApp/2.23.20.0"
    "telegrambot,",          // core.telegram.org/bots/webhooks, instant view: "TelegramBot (like TwitterBot)"
    "facebookexternalhit,",  // developers.facebook.com/docs/sharing/webmasters/web-crawlers; iMessage names it as well
    "facebot,",              // the same page
    "meta-externalagent,",   // the same page
    "meta-externalfetcher,", // the same page
    "slackbot,",             // api.slack.com/robots: "Slackbot-LinkExpanding 1.0"
    "discordbot,",           // "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)"
    "twitterbot,",           // developer.x.com, cards, "URL crawling & caching"
    "linkedinbot,",          // linkedin.com/help, post inspector: "LinkedInBot/1.0"
    "skypeuripreview,",      // Microsoft Teams and Skype: "SkypeUriPreview Preview/0.5"
    "microsoftpreview,",     // bing.com/webmasters/help/which-crawlers-does-bing-use: "MicrosoftPreview/2.0"
    "bingpreview,",          // the same page
    "bingbot,",              // the same page
    "googlebot,",            // developers.google.com/search/docs/crawling-indexing/overview-google-crawlers
    "googlemessages,",       // the same page, user-triggered fetchers: previews of Google Messages
    "applebot,",             // support.apple.com/119829
    "viber,",                // developers.viber.com; "Viber/13.3.0"
    "mattermost-bot,",       // docs.mattermost.com, link previews: "mattermost-bot/1.1"
    "synapse (bot,",         // Matrix: "Synapse (bot; +https://github.com/matrix-org/synapse)"
    "pinterestbot,",         // help.pinterest.com, "Pinterest crawler"
    "redditbot,",            // reddit.com: "redditbot/1.0"
    "snap url preview,",     // "Snap URL Preview Service; bot; snapchat; https://developers.snap.com/robots"
    "line-poker,",           // developers.line.biz, "What is line-poker": previews of LINE
    "kakaotalk-scrap,",      // devtalk.kakao.com: "kakaotalk-scrap/1.0"
    "yandexbot,",            // yandex.com/support/webmaster/robot-workings/user-agent.html
    "duckduckbot,",          // duckduckgo.com/duckduckgo-help-pages/results/duckduckbot
    "baiduspider,",          // baidu.com/search/robots_english.html
    "petalbot,",             // webmaster.petalsearch.com
    "bytespider,",           // bytedance.com: "Bytespider; spider-feedback@bytedance.com"
    "gptbot,",               // platform.openai.com/docs/bots
    "chatgpt-user,",         // the same page
    "oai-searchbot,",        // the same page
    "claudebot,",            // support.anthropic.com, crawling
    "claude-user,",          // the same page
    "perplexitybot,",        // docs.perplexity.ai/guides/bots
    "perplexity-user,",      // the same page
    "ccbot/,",               // commoncrawl.org/ccbot
    "amazonbot,",            // developer.amazon.com/amazonbot
    "ahrefsbot,",            // ahrefs.com/robot
);

/// Returns true for the `User-Agent` of a known one.
pub fn is_previewer(user_agent: &[u8]) -> bool {
    let shown = user_agent.to_ascii_lowercase();
    let names = |name: &str| shown.windows(name.len()).any(|window| window == name.as_bytes());
    NAMES.split_terminator(',').any(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previewers_are_told_from_browsers_and_devices() {
        for (agent, expected) in [
            ("WhatsApp/2.23.20.0 A", true),
            ("TelegramBot (like TwitterBot)", true),
            ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", true),
            ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", true),
            ("Mozilla/5.0 (compatible; DISCORDBOT/2.0; +https://discordapp.com)", true),
            ("Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com", true),
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", true),
            ("Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/17.4 Safari/605.1.15 (Applebot/0.1)", true),
            ("", false),
            ("curl/8.5.0", false),
            ("HomeAssistant/2024.3.0 aiohttp/3.9.3 Python/3.12", false),
            ("Java/17.0.2", false),
            ("BackgroundShortcutRunner/2607.1.3 CFNetwork/1494.0.7 Darwin/23.4.0", false),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1", false),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:124.0) Gecko/20100101 Firefox/124.0", false),
            ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/123.0 Mobile Safari/537.36", false),
        ] {
            assert_eq!(is_previewer(agent.as_bytes()), expected, "{agent}");
        }
        assert!(NAMES == NAMES.to_ascii_lowercase() && NAMES.ends_with(',') && !NAMES.contains(",,"));
    }
}
