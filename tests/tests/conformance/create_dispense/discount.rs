//! N39: the discount (rule 32), to the last kopiyka.

use esoz_kernel::Decimal;
use esoz_registries::Reimbursement;
use esoz_tests::{CreateFixture, Kind, Setup, TestApp, on_every_store};
use serde_json::{Value, json};

use super::cases::{by_code, detail};

const NOT_ZERO: &str = "Requested discount amount must be equal to 0";
const TOO_HIGH: &str = "Requested discount amount must be less or equal to allowed reimbursement amount";

fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn fixed(amount: &str) -> Reimbursement {
    Reimbursement::Fixed(number(amount))
}

fn percentage(percentage: &str) -> Reimbursement {
    Reimbursement::Percentage(number(percentage))
}

/// One device of a program, dispensed at some price.
struct Sale {
    reimbursement: Reimbursement,
    packages: u32,
    sell_price: &'static str,
}

/// A number as it stands, with every digit.
fn json_number(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

impl Sale {
    fn new(reimbursement: Reimbursement, packages: u32, sell_price: &'static str) -> Self {
        Self { reimbursement, packages, sell_price }
    }

    /// With that discount it is recorded, and so much is reimbursed for a package.
    async fn takes(&self, app: &TestApp, discount: &str, reimbursed: &str) {
        let (fixture, body) = self.load(app, discount).await;
        let answer = fixture.create(app, &body).await;
        assert_eq!(answer.status, 201, "{discount}: {:#}", answer.body);
        let recorded = &answer.body["data"]["details"][0];
        let money = |name: &str| number(&recorded[name].to_string());
        let (discount, reimbursed, price) = (number(discount), number(reimbursed), number(self.sell_price));
        assert_eq!(money("discount_amount"), discount);
        assert_eq!(money("reimbursement_amount"), reimbursed);
        assert_eq!(money("sell_price"), price);
    }

    /// With that discount it is refused.
    async fn refuses(&self, app: &TestApp, discount: &str, text: &str) {
        let (fixture, body) = self.load(app, discount).await;
        fixture.create(app, &body).await.assert_refused(&[("$.details[0].discount_amount", text)]);
    }

    async fn load(&self, app: &TestApp, discount: &str) -> (CreateFixture, Value) {
        let mut fixture = CreateFixture::new(app);
        let pieces = 50 * self.packages;
        fixture.records.device.facts.reimbursement = self.reimbursement.clone();
        fixture.request.facts.quantity.as_mut().unwrap().value = pieces.into();
        fixture.store(app).await;
        let mut body = fixture.body();
        *detail(&mut body) = fixture.detail(pieces);
        detail(&mut body)["sell_price"] = json_number(self.sell_price);
        detail(&mut body)["discount_amount"] = json_number(discount);
        (fixture, body)
    }
}

async fn with(kind: Kind, name: &str, value: &str) -> TestApp {
    Setup::new(kind).variable(&format!("ESOZ_DEVICE_DISPENSE__{name}"), value).start().await
}

on_every_store! {
    async fn n39_a_fixed_amount(kind) {
        let app = TestApp::new(kind).await;
        let one = Sale::new(fixed("100"), 1, "150.50");
        one.takes(&app, "0", "100").await;
        one.takes(&app, "100", "100").await;
        one.refuses(&app, "100.01", TOO_HIGH).await;
        let three = Sale::new(fixed("33.33"), 3, "40");
        three.takes(&app, "99.99", "33.33").await;
        three.refuses(&app, "100.00", TOO_HIGH).await;
        // The price does not matter.
        let cheap = Sale::new(fixed("0.1"), 3, "0");
        cheap.takes(&app, "0.3", "0.1").await;
        cheap.refuses(&app, "0.31", TOO_HIGH).await;
    }

    async fn n39_a_percentage(kind) {
        let app = TestApp::new(kind).await;
        // 50.16165 for a package, and 150.48495 for three.
        let three = Sale::new(percentage("33.33"), 3, "150.50");
        three.takes(&app, "150.48", "50.16").await;
        three.refuses(&app, "150.49", TOO_HIGH).await;
        // Half a kopiyka for a package, which is reimbursed as a whole one, and one and a half for three.
        let half = Sale::new(percentage("50"), 3, "0.01");
        half.takes(&app, "0.01", "0.01").await;
        half.refuses(&app, "0.02", TOO_HIGH).await;
        let none = Sale::new(percentage("0"), 1, "150.50");
        none.takes(&app, "0", "0").await;
        none.refuses(&app, "0.01", NOT_ZERO).await;
        let all = Sale::new(percentage("100"), 2, "999999.99");
        all.takes(&app, "1999999.98", "999999.99").await;
        all.refuses(&app, "1999999.99", TOO_HIGH).await;
    }

    async fn n39_with_a_tolerance(kind) {
        let app = with(kind, "DISCOUNT_TOLERANCE", "0.50").await;
        // For all of it, not for each package.
        let three = Sale::new(fixed("33.33"), 3, "40");
        three.takes(&app, "100.49", "33.33").await;
        three.refuses(&app, "100.50", TOO_HIGH).await;
        let percents = Sale::new(percentage("33.33"), 3, "150.50");
        percents.takes(&app, "150.98", "50.16").await;
        percents.refuses(&app, "150.99", TOO_HIGH).await;
        Sale::new(percentage("0"), 1, "150.50").refuses(&app, "0.01", NOT_ZERO).await;
    }

    async fn n39_with_a_deviation(kind) {
        let app = with(kind, "DISCOUNT_DEVIATION", "0.05").await;
        let too_low =
            "The ratio of requested discount amount to allowed reimbursement amount must be greater or equal to 0.95";
        let two = Sale::new(fixed("100"), 2, "150.50");
        two.takes(&app, "190", "100").await;
        two.refuses(&app, "189.99", too_low).await;
        two.takes(&app, "200", "100").await;
        two.refuses(&app, "200.01", TOO_HIGH).await;
        // 142.9607025
        let percents = Sale::new(percentage("33.33"), 3, "150.50");
        percents.takes(&app, "142.97", "50.16").await;
        percents.refuses(&app, "142.96", too_low).await;
        // Nothing is allowed, so nothing is too low.
        Sale::new(percentage("0"), 1, "150.50").takes(&app, "0", "0").await;
        Sale::new(fixed("0"), 1, "150.50").takes(&app, "0", "0").await;
    }

    async fn n39_half_a_package_by_code(kind) {
        let app = TestApp::new(kind).await;
        let mut fixture = CreateFixture::new(&app);
        fixture.request.facts.quantity = None;
        fixture.store(&app).await;
        let mut body = fixture.body();
        by_code(&mut body, "30221");
        detail(&mut body)["quantity"]["value"] = json!(12.5);
        detail(&mut body)["discount_amount"] = json!(25.01);
        fixture.create(&app, &body).await.assert_refused(&[("$.details[0].discount_amount", TOO_HIGH)]);
        detail(&mut body)["discount_amount"] = json!(25);
        let answer = fixture.create(&app, &body).await;
        assert_eq!(answer.status, 201, "{:#}", answer.body);
        assert_eq!(answer.body["data"]["details"][0]["quantity"]["value"], json!(12.5));
    }
}
