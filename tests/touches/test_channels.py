"""Which channel, source and medium an origin gets: one row for each kind of traffic, traps of the real world included."""

from __future__ import annotations

from importlib.resources import files

import pytest

from app.collect.origins import Origin, arrival, registrable_domain
from app.sites.settings import ChannelRule, SiteSettings
from app.touches.channels import CHANNELS, OriginLabel, label_origin
from app.touches.known_sites import known_host

DEFAULTS = SiteSettings()


def utm(source: str = "", medium: str = "", campaign: str = "", *, ref: str = "", click: str = "") -> Origin:
    return Origin(source=source, medium=medium, campaign=campaign, referring_host=ref, click_id_kind=click)


def ref(host: str, *, click: str = "") -> Origin:
    return Origin(referring_host=host, click_id_kind=click)


def click(parameter: str) -> Origin:
    return Origin(click_id_kind=parameter)


TABLE = [
    # nothing known, or said to be nothing
    (Origin(), "Direct", "(direct)", "(none)"),
    (utm("(direct)", "(none)"), "Direct", "(direct)", "(none)"),
    (utm("direct"), "Direct", "(direct)", "(not set)"),
    (utm("(Direct)", "(Not Set)"), "Direct", "(direct)", "(not set)"),
    (utm("direct", "email"), "Email", "(direct)", "email"),
    # search engines, over the world
    (ref("google.com"), "Organic Search", "google", "organic"),
    (ref("google.co.uk"), "Organic Search", "google", "organic"),
    (ref("google.com.br"), "Organic Search", "google", "organic"),
    (ref("google.co.jp"), "Organic Search", "google", "organic"),
    (ref("images.google.de"), "Organic Search", "google", "organic"),
    (ref("lens.google.com"), "Organic Search", "google", "organic"),
    (ref("com.google.android.googlequicksearchbox"), "Organic Search", "google", "organic"),
    (ref("bing.com"), "Organic Search", "bing", "organic"),
    (ref("cn.bing.com"), "Organic Search", "bing", "organic"),
    (ref("duckduckgo.com"), "Organic Search", "duckduckgo", "organic"),
    (ref("search.yahoo.com"), "Organic Search", "yahoo", "organic"),
    (ref("search.yahoo.co.jp"), "Organic Search", "yahoo", "organic"),
    (ref("baidu.com"), "Organic Search", "baidu", "organic"),
    (ref("m.baidu.com"), "Organic Search", "baidu", "organic"),
    (ref("sogou.com"), "Organic Search", "sogou", "organic"),
    (ref("so.com"), "Organic Search", "so.com", "organic"),
    (ref("yandex.ru"), "Organic Search", "yandex", "organic"),
    (ref("yandex.com.tr"), "Organic Search", "yandex", "organic"),
    (ref("ya.ru"), "Organic Search", "yandex", "organic"),
    (ref("go.mail.ru"), "Organic Search", "mail.ru", "organic"),
    (ref("search.naver.com"), "Organic Search", "naver", "organic"),
    (ref("search.daum.net"), "Organic Search", "daum", "organic"),
    (ref("seznam.cz"), "Organic Search", "seznam", "organic"),
    (ref("ecosia.org"), "Organic Search", "ecosia", "organic"),
    (ref("qwant.com"), "Organic Search", "qwant", "organic"),
    (ref("startpage.com"), "Organic Search", "startpage", "organic"),
    (ref("search.brave.com"), "Organic Search", "brave", "organic"),
    (ref("coccoc.com"), "Organic Search", "coccoc", "organic"),
    (utm("google"), "Organic Search", "google", "organic"),
    (utm("Google", "Organic"), "Organic Search", "google", "organic"),
    (utm("gmb", "organic", "store-munich"), "Organic Search", "google", "organic"),
    (utm("our-magazine", "organic"), "Organic Search", "our-magazine", "organic"),
    (utm(campaign="spring", ref="google.com"), "Organic Search", "google", "organic"),
    (click("srsltid"), "Organic Search", "google", "organic"),
    (ref("yandex.ru", click="ysclid"), "Organic Search", "yandex", "organic"),
    # hosts of search engines that are something else
    (ref("news.google.com"), "Referral", "news.google.com", "referral"),
    (ref("docs.google.com"), "Referral", "docs.google.com", "referral"),
    (ref("finance.yahoo.com"), "Referral", "finance.yahoo.com", "referral"),
    (ref("shopping.google.com"), "Organic Shopping", "google-shopping", "referral"),
    (ref("mail.google.com"), "Email", "gmail", "email"),
    (ref("gemini.google.com"), "AI Assistants", "gemini", "ai"),
    (ref("notebooklm.google.com"), "AI Assistants", "notebooklm", "ai"),
    (ref("tieba.baidu.com"), "Organic Social", "tieba", "social"),
    (ref("blog.naver.com"), "Organic Social", "naver-blog", "social"),
    (ref("google.phish.example"), "Referral", "google.phish.example", "referral"),
    # paid search
    (utm("google", "cpc"), "Paid Search", "google", "cpc"),
    (utm("GOOGLE", "CPC", "Brand"), "Paid Search", "google", "cpc"),
    (utm("adwords", "ppc"), "Paid Search", "google", "ppc"),
    (utm("google.com", "paidsearch"), "Paid Search", "google", "paidsearch"),
    (utm("bing_ads", "paid"), "Paid Search", "bing", "paid"),
    (utm("baidu", "cpc"), "Paid Search", "baidu", "cpc"),
    (utm("yandex_direct", "cpc"), "Paid Search", "yandex", "cpc"),
    (utm("naver", "cpc"), "Paid Search", "naver", "cpc"),
    (utm("google", "retargeting"), "Paid Search", "google", "retargeting"),
    (click("gclid"), "Paid Search", "google", "cpc"),
    (click("gbraid"), "Paid Search", "google", "cpc"),
    (click("wbraid"), "Paid Search", "google", "cpc"),
    (click("gad_source"), "Paid Search", "google", "cpc"),
    (click("msclkid"), "Paid Search", "bing", "cpc"),
    (click("yclid"), "Paid Search", "yandex", "cpc"),
    (click("bd_vid"), "Paid Search", "baidu", "cpc"),
    (ref("google.com", click="gclid"), "Paid Search", "google", "cpc"),
    (ref("some-blog.example", click="gclid"), "Paid Search", "google", "cpc"),
    (ref("duckduckgo.com", click="msclkid"), "Paid Search", "bing", "cpc"),
    (utm("google", click="gclid"), "Paid Search", "google", "cpc"),
    (utm("google", "organic", click="gclid"), "Paid Search", "google", "organic"),
    (utm("spring-sale", click="gclid"), "Paid Search", "spring-sale", "cpc"),
    (utm(campaign="spring", click="gclid"), "Paid Search", "google", "cpc"),
    # a click ID left over from another click, or against what the tags say
    (utm("linkedin", click="gclid"), "Organic Social", "linkedin", "social"),
    (utm("linkedin", "social", click="gclid"), "Organic Social", "linkedin", "social"),
    (ref("linkedin.com", click="gclid"), "Organic Social", "linkedin", "social"),
    (ref("facebook.com", click="gclid"), "Organic Social", "facebook", "social"),
    (ref("docs.google.com", click="gclid"), "Referral", "docs.google.com", "referral"),
    (ref("shopping.google.com", click="gclid"), "Paid Shopping", "google", "cpc"),
    (ref("chatgpt.com", click="gclid"), "AI Assistants", "chatgpt", "ai"),
    (utm("newsletter", "email", click="gclid"), "Email", "newsletter", "email"),
    (utm(medium="email", click="gclid"), "Email", "(not set)", "email"),
    (utm("facebook", "cpc", click="gclid"), "Paid Social", "facebook", "cpc"),
    (ref("google.com", click="fbclid"), "Organic Search", "google", "organic"),
    (ref("google.com", click="msclkid"), "Organic Search", "google", "organic"),
    (click("unheard_of"), "Unassigned", "(not set)", "(not set)"),
    # social networks
    (ref("facebook.com"), "Organic Social", "facebook", "social"),
    (ref("l.facebook.com"), "Organic Social", "facebook", "social"),
    (ref("lm.facebook.com"), "Organic Social", "facebook", "social"),
    (ref("m.facebook.com", click="fbclid"), "Organic Social", "facebook", "social"),
    (click("fbclid"), "Organic Social", "facebook", "social"),
    (ref("l.instagram.com", click="fbclid"), "Organic Social", "instagram", "social"),
    (click("igshid"), "Organic Social", "instagram", "social"),
    (ref("t.co"), "Organic Social", "twitter", "social"),
    (ref("x.com"), "Organic Social", "twitter", "social"),
    (ref("lnkd.in"), "Organic Social", "linkedin", "social"),
    (ref("com.linkedin.android"), "Organic Social", "linkedin", "social"),
    (ref("out.reddit.com"), "Organic Social", "reddit", "social"),
    (ref("away.vk.com"), "Organic Social", "vk", "social"),
    (ref("ok.ru"), "Organic Social", "odnoklassniki", "social"),
    (ref("weibo.cn"), "Organic Social", "weibo", "social"),
    (ref("mp.weixin.qq.com"), "Organic Social", "wechat", "social"),
    (ref("xiaohongshu.com"), "Organic Social", "xiaohongshu", "social"),
    (ref("zalo.me"), "Organic Social", "zalo", "social"),
    (ref("line.me"), "Organic Social", "line", "social"),
    (ref("mastodon.social"), "Organic Social", "mastodon", "social"),
    (ref("nairaland.com"), "Organic Social", "nairaland", "social"),
    (click("epik"), "Organic Social", "pinterest", "social"),
    (utm("ig", "bio"), "Organic Social", "instagram", "bio"),
    (utm("our-app", "social-media"), "Organic Social", "our-app", "social-media"),
    (utm(medium="social", ref="t.co"), "Organic Social", "twitter", "social"),
    (utm("fb", "referral"), "Organic Social", "facebook", "referral"),
    (utm("fb", "paid_social"), "Paid Social", "facebook", "paid_social"),
    (utm("Facebook", "CPM"), "Paid Social", "facebook", "cpm"),
    (utm("meta", "cpc", click="fbclid"), "Paid Social", "facebook", "cpc"),
    (utm(medium="paid", click="fbclid"), "Paid Social", "facebook", "paid"),
    (utm("linkedin_ads", "cpc"), "Paid Social", "linkedin", "cpc"),
    (click("ttclid"), "Paid Social", "tiktok", "cpc"),
    (click("twclid"), "Paid Social", "twitter", "cpc"),
    (click("li_fat_id"), "Paid Social", "linkedin", "cpc"),
    (click("rdt_cid"), "Paid Social", "reddit", "cpc"),
    (click("ScCid"), "Paid Social", "snapchat", "cpc"),
    # the letters of a network inside another name mean nothing
    (ref("microsoft.com"), "Referral", "microsoft.com", "referral"),
    (ref("notfacebook.com"), "Referral", "notfacebook.com", "referral"),
    (ref("facebook.com.phish.example"), "Referral", "facebook.com.phish.example", "referral"),
    (ref("netflix.com"), "Organic Video", "netflix", "referral"),
    (utm("microsoft", "banner"), "Display", "microsoft", "banner"),
    # video
    (ref("youtube.com"), "Organic Video", "youtube", "referral"),
    (ref("youtu.be"), "Organic Video", "youtube", "referral"),
    (ref("bilibili.com"), "Organic Video", "bilibili", "referral"),
    (ref("rutube.ru"), "Organic Video", "rutube", "referral"),
    (utm("webcast-archive", "onlinevideo"), "Organic Video", "webcast-archive", "onlinevideo"),
    (utm("youtube", "cpv"), "Paid Video", "youtube", "cpv"),
    (utm("youtube", "cpc"), "Paid Video", "youtube", "cpc"),
    (ref("youtube.com", click="gclid"), "Paid Video", "google", "cpc"),
    (utm("yt", click="gclid"), "Paid Video", "youtube", "cpc"),
    # shopping
    (ref("amazon.de"), "Organic Shopping", "amazon", "referral"),
    (ref("shopee.co.id"), "Organic Shopping", "shopee", "referral"),
    (ref("mercadolivre.com.br"), "Organic Shopping", "mercadolibre", "referral"),
    (ref("jumia.com.ng"), "Organic Shopping", "jumia", "referral"),
    (utm("amazon", "cpc"), "Paid Shopping", "amazon", "cpc"),
    (utm("google", "cpc", "Shopping_DE"), "Paid Shopping", "google", "cpc"),
    (utm("google", "cpc", "e-shop"), "Paid Shopping", "google", "cpc"),
    (utm("google", "cpc", "shop"), "Paid Shopping", "google", "cpc"),
    (utm("google", "cpc", "workshop"), "Paid Search", "google", "cpc"),
    (utm("google", "organic", "shopping"), "Organic Shopping", "google", "organic"),
    # display, and what the pattern of paid media would have taken
    (utm("criteo", "cpm"), "Display", "criteo", "cpm"),
    (utm("dv360", "display"), "Display", "dv360", "display"),
    (utm("google", "cpm"), "Display", "google", "cpm"),
    (utm("google", "display"), "Display", "google", "display"),
    (utm("some-site", "Banner"), "Display", "some-site", "banner"),
    (utm("some-site", "interstitial"), "Display", "some-site", "interstitial"),
    (utm("some-site", "expandable"), "Display", "some-site", "expandable"),
    (click("dclid"), "Display", "google", "cpm"),
    (utm("google", click="dclid"), "Display", "google", "cpm"),
    # other paid
    (utm("taboola", "cpc"), "Paid Other", "taboola", "cpc"),
    (utm("capterra", "ppc"), "Paid Other", "capterra", "ppc"),
    (utm("chatgpt", "cpc"), "Paid Other", "chatgpt", "cpc"),
    (utm(medium="cpc"), "Paid Other", "(not set)", "cpc"),
    (click("ob_click_id"), "Paid Other", "outbrain", "cpc"),
    (utm("google", "cpc", "sale|Cross-Network|x"), "Cross-network", "google", "cpc"),
    (utm("google", "organic", "cross-network"), "Cross-network", "google", "organic"),
    # AI assistants
    (ref("chatgpt.com"), "AI Assistants", "chatgpt", "ai"),
    (ref("chat.openai.com"), "AI Assistants", "chatgpt", "ai"),
    (utm("chatgpt.com"), "AI Assistants", "chatgpt", "ai"),
    (utm("openai"), "AI Assistants", "chatgpt", "ai"),
    (utm("perplexity", "referral"), "AI Assistants", "perplexity", "referral"),
    (ref("claude.ai"), "AI Assistants", "claude", "ai"),
    (ref("copilot.microsoft.com"), "AI Assistants", "copilot", "ai"),
    (ref("chat.deepseek.com"), "AI Assistants", "deepseek", "ai"),
    (ref("kimi.com"), "AI Assistants", "kimi", "ai"),
    (ref("yiyan.baidu.com"), "AI Assistants", "ernie", "ai"),
    (ref("chat.mistral.ai"), "AI Assistants", "mistral", "ai"),
    (ref("alice.yandex.ru"), "AI Assistants", "alice.yandex.ru", "ai"),
    (ref("com.openai.chatgpt"), "AI Assistants", "chatgpt", "ai"),
    (utm("our-bot", "llm"), "AI Assistants", "our-bot", "llm"),
    # referrals
    (ref("blog.partner.example"), "Referral", "blog.partner.example", "referral"),
    (ref("someone.github.io"), "Referral", "someone.github.io", "referral"),
    (ref("xn--e1afmkfd.xn--p1ai"), "Referral", "xn--e1afmkfd.xn--p1ai", "referral"),
    (ref("203.0.113.9"), "Referral", "203.0.113.9", "referral"),
    (utm("our-directory", "referral"), "Referral", "our-directory", "referral"),
    (utm("our-app", "app"), "Referral", "our-app", "app"),
    (utm(campaign="spring", ref="blog.partner.example"), "Referral", "blog.partner.example", "referral"),
    # e-mail
    (utm("newsletter", "email"), "Email", "newsletter", "email"),
    (utm("crm", "E-Mail"), "Email", "crm", "e-mail"),
    (utm("crm", "e_mail"), "Email", "crm", "e_mail"),
    (utm("crm", "e mail"), "Email", "crm", "e mail"),
    (utm("email"), "Email", "email", "(not set)"),
    (utm("weekly", "newsletter"), "Email", "weekly", "newsletter"),
    (ref("outlook.live.com"), "Email", "outlook", "email"),
    (ref("com.google.android.gm"), "Email", "gmail", "email"),
    (ref("e.mail.ru"), "Email", "mail.ru", "email"),
    (ref("mail.qq.com"), "Email", "qq", "email"),
    (ref("mail.yahoo.co.jp"), "Email", "yahoo-mail-japan", "email"),
    (ref("poczta.onet.pl"), "Email", "onet", "email"),
    (click("mc_cid"), "Email", "mailchimp", "email"),
    (click("_kx"), "Email", "klaviyo", "email"),
    (utm("mailchimp", "email", click="mc_cid"), "Email", "mailchimp", "email"),
    (utm("mailchimp", "email", click="fbclid"), "Email", "mailchimp", "email"),
    # the rest of GA4's channels
    (utm("awin", "affiliate"), "Affiliates", "awin", "affiliate"),
    (utm("tradedoubler", "affiliates"), "Affiliates", "tradedoubler", "affiliates"),
    (click("irclickid"), "Affiliates", "impact", "affiliate"),
    (utm("spotify", "audio"), "Audio", "spotify", "audio"),
    (utm("our-show", "podcast"), "Audio", "our-show", "podcast"),
    (utm("sms"), "SMS", "sms", "(not set)"),
    (utm("twilio", "sms"), "SMS", "twilio", "sms"),
    (utm("our-app", "web-push"), "Mobile Push", "our-app", "web-push"),
    (utm("our-app", "mobile"), "Mobile Push", "our-app", "mobile"),
    (utm("our-app", "in-app-notification"), "Mobile Push", "our-app", "in-app-notification"),
    (utm("firebase"), "Mobile Push", "firebase", "(not set)"),
    (utm("billboard", "qr"), "Unassigned", "billboard", "qr"),
    (utm(campaign="spring"), "Unassigned", "(not set)", "(not set)"),
    (utm("our-partner"), "Unassigned", "our-partner", "(not set)"),
    # offline touches
    (utm("hannover-messe", "event"), "Events", "hannover-messe", "event"),
    (utm("tradeshow"), "Events", "tradeshow", "(not set)"),
    (utm("zoom", "webinar"), "Webinars", "zoom", "webinar"),
    (utm("webinar", "email"), "Email", "webinar", "email"),
    (utm("sdr-team", "cold-call"), "Outbound Sales", "sdr-team", "cold-call"),
    (utm("outbound"), "Outbound Sales", "outbound", "(not set)"),
    (utm("acme", "Partner"), "Partners", "acme", "partner"),
    (utm("spring", "direct mail"), "Direct Mail", "spring", "direct mail"),
    (utm("catalogue", "postal"), "Direct Mail", "catalogue", "postal"),
    (utm("billboard", "phone_call"), "Phone Calls", "billboard", "phone_call"),
    (utm("reception", "Inbound Call"), "Phone Calls", "reception", "inbound call"),
    (utm("reception", "call"), "Outbound Sales", "reception", "call"),
    # what people only pass through
    (ref("paypal.com"), "Direct", "(direct)", "(none)"),
    (ref("checkout.stripe.com"), "Direct", "(direct)", "(none)"),
    (ref("accounts.google.com"), "Direct", "(direct)", "(none)"),
    (ref("login.microsoftonline.com"), "Direct", "(direct)", "(none)"),
    (ref("nid.naver.com"), "Direct", "(direct)", "(none)"),
    (utm("newsletter", "email", ref="paypal.com"), "Email", "newsletter", "email"),
    (utm(campaign="spring", ref="paypal.com"), "Unassigned", "(not set)", "(not set)"),
    (ref("paypal.com", click="gclid"), "Paid Search", "google", "cpc"),
]


def shown(origin: Origin) -> str:
    return ",".join(f"{name}={part}" for name, part in origin._asdict().items() if part) or "nothing"


@pytest.mark.parametrize(("origin", "channel", "source", "medium"), TABLE, ids=[shown(row[0]) for row in TABLE])
def test_channel_source_and_medium(origin: Origin, channel: str, source: str, medium: str) -> None:
    label = label_origin(origin, DEFAULTS)
    assert (label.channel, label.source, label.medium) == (channel, source, medium)


def test_the_table_shows_every_channel_and_no_row_twice() -> None:
    assert {channel for _, channel, _, _ in TABLE} == set(CHANNELS)
    assert len({origin for origin, *_ in TABLE}) == len(TABLE)


def test_the_label_of_nothing() -> None:
    """The row that a new site begins with."""
    not_set = "(not set)"
    assert label_origin(Origin(), DEFAULTS) == OriginLabel("Direct", "direct", "(direct)", "(none)", not_set, not_set, not_set, "(none)", False, False)


def test_the_rest_of_a_label_is_folded_and_the_referrer_kept() -> None:
    origin = Origin(source="Google", medium="CPC", campaign=" Spring  SALE ", term="Blue Shoes", content="Ad-1", referring_host="google.com")
    label = label_origin(origin, DEFAULTS)
    assert (label.campaign, label.term, label.content, label.referrer) == ("spring sale", "blue shoes", "ad-1", "google.com")


@pytest.mark.parametrize(
    ("address", "referrer", "channel", "source"),
    [
        ("https://shop.example/?utm_source=chatgpt.com", None, "AI Assistants", "chatgpt"),
        ("https://shop.example/", "android-app://com.google.android.gm/", "Email", "gmail"),
        ("https://shop.example/", "android-app://com.google.android.googlequicksearchbox/https/www.google.com", "Organic Search", "google"),
        ("https://shop.example/", "https://www.google.com/", "Organic Search", "google"),
        ("https://shop.example/", "https://пример.рф/страница", "Referral", "xn--e1afmkfd.xn--p1ai"),
        ("https://shop.example/?gclid=EAIaIQ&fbclid=IwAR", None, "Paid Search", "google"),
        ("https://shop.example/?gbraid=0AAA", "https://m.facebook.com/", "Organic Social", "facebook"),
        ("https://shop.example/?aid=7", "https://blog.shop.example/", "Direct", "(direct)"),
    ],
)
def test_addresses_as_browsers_send_them(address: str, referrer: str | None, channel: str, source: str) -> None:
    label = label_origin(arrival(address, referrer).origin, DEFAULTS)
    assert (label.channel, label.source) == (channel, source)


# ---------------------------------------------------------------- what a site decides


@pytest.mark.parametrize(
    ("explicit", "channel"), [("Trade Fair", "Trade Fair"), ("paid search", "Paid Search"), ("  Radio   Ad ", "Radio Ad")]
)
def test_an_explicit_channel_wins_over_all(explicit: str, channel: str) -> None:
    settings = SiteSettings(channel_rules=[ChannelRule(channel="Brand", source="google")])
    label = label_origin(Origin(explicit_channel=explicit, source="google", medium="cpc"), settings)
    assert (label.channel, label.rule, label.source, label.medium) == (channel, "explicit channel", "google", "cpc")


def test_an_explicit_channel_alone_leaves_source_and_medium_unset() -> None:
    label = label_origin(Origin(explicit_channel="Radio"), DEFAULTS)
    assert (label.channel, label.source, label.medium) == ("Radio", "(not set)", "(not set)")


@pytest.mark.parametrize(
    ("rule", "origin", "holds"),
    [
        ({"source": "FB"}, utm("facebook", "cpc"), True),
        ({"source": "facebook"}, ref("l.facebook.com"), True),
        ({"source": "face"}, utm("facebook"), False),
        ({"medium": "Organic"}, ref("google.com"), True),
        ({"medium": "organic"}, ref("blog.example"), False),
        ({"campaign": "brand*"}, utm("google", "cpc", "Brand DE"), True),
        ({"campaign": "brand"}, utm("google", "cpc", "Brand DE"), False),
        ({"campaign": "brand*"}, ref("google.com"), False),
        ({"referrer": "partner.example"}, ref("blog.partner.example"), True),
        ({"referrer": "www.Partner.example"}, ref("partner.example"), True),
        ({"referrer": "partner.example"}, ref("notpartner.example"), False),
        ({"referrer": "пример.рф"}, ref("xn--e1afmkfd.xn--p1ai"), True),
        ({"click_id": "GCLID"}, click("gclid"), True),
        ({"click_id": "gclid"}, click("fbclid"), False),
        ({"source": "google", "medium": "cpc"}, ref("google.com"), False),
        ({"medium": "(none)"}, Origin(), True),
    ],
)
def test_a_rule_of_the_sites_own(rule: dict[str, str], origin: Origin, holds: bool) -> None:
    settings = SiteSettings(channel_rules=[ChannelRule(channel="Never", source="no such"), ChannelRule(channel="Ours", **rule)])
    label = label_origin(origin, settings)
    assert (label.channel == "Ours", label.rule == "site rule 2") == (holds, holds)


def test_aliases_of_a_site_come_before_the_shipped_spellings() -> None:
    settings = SiteSettings(source_aliases={"FB": "Our Fanbase", "gg": "google"}, campaign_aliases={"sp24": "Spring 2024"})
    assert label_origin(utm("fb", "referral"), settings).source == "our fanbase"
    label = label_origin(utm("GG", "cpc", "SP24"), settings)
    assert (label.channel, label.source, label.campaign) == ("Paid Search", "google", "spring 2024")


@pytest.mark.parametrize(
    ("origin", "is_ignored"),
    [
        (ref("shop.example"), True),
        (ref("checkout.shop.example"), True),
        (ref("shop.example.net"), False),
        (ref("wiki.intra.example"), True),
        (ref("intra.example"), True),
        (ref("notintra.example"), False),
        (ref("paypal.com"), True),
        (ref("paypal.co.uk"), True),
        (ref("notpaypal.com"), False),
        (ref("accounts.google.de"), True),
        (ref("google.de"), False),
        (ref("tenant.eu.auth0.com"), True),
        (Origin(), False),
        (utm("x", ref="paypal.com"), False),
        (utm(medium="x", ref="paypal.com"), False),
        (utm(campaign="x", ref="paypal.com"), False),
        (Origin(term="x", referring_host="paypal.com"), False),
        (ref("paypal.com", click="gclid"), False),
        (Origin(explicit_channel="Radio", referring_host="paypal.com"), False),
    ],
)
def test_ignored_hosts(origin: Origin, is_ignored: bool) -> None:
    settings = SiteSettings(hosts=["www.shop.example"], ignored_hosts=["Intra.example"])
    assert label_origin(origin, settings).is_ignored is is_ignored


def test_a_rule_on_a_referrer_makes_an_ignored_host_count() -> None:
    rules = [ChannelRule(channel="Partners", referrer="paypal.com"), ChannelRule(channel="All", medium="(none)")]
    settings = SiteSettings(channel_rules=rules)
    assert label_origin(ref("paypal.com"), settings).is_ignored is False
    assert label_origin(ref("stripe.com"), settings).is_ignored is True


@pytest.mark.parametrize(
    ("origin", "is_spam"),
    [
        (ref("semalt.com"), True),
        (ref("best.semalt.com"), True),
        (ref("notsemalt.com"), False),
        (ref("semalt.com.example"), False),
        (utm("WWW.Semalt.com"), True),
        (utm("semalt"), False),
        (utm("google", "cpc", ref="semalt.com"), True),
        (ref("a.junk.example"), True),
        (ref("fine.junk.example"), False),
        (ref("a.fine.junk.example"), False),
        (ref("darodar.com"), False),
        (ref("partner.example"), False),
        (Origin(explicit_channel="Partners", source="semalt.com"), False),
        (Origin(), False),
    ],
)
def test_spam(origin: Origin, is_spam: bool) -> None:
    settings = SiteSettings(
        spam_referrers=["junk.example", "partner.example"], allowed_referrers=["fine.junk.example", "darodar.com"],
        channel_rules=[ChannelRule(channel="Partners", referrer="partner.example")],
    )  # fmt: skip
    assert label_origin(origin, settings).is_spam is is_spam


def test_the_shipped_list_names_each_domain_once_and_nobody_who_is_known() -> None:
    domains = files("app.touches").joinpath("spam_domains.txt").read_text(encoding="ascii").splitlines()[2:]
    assert domains == sorted(set(domains))
    assert [domain for domain in domains if registrable_domain(domain) != domain or known_host(domain)] == []
