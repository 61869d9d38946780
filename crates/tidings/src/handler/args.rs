//! A handler's arguments as one tuple: the event, then what is made for it.

use std::future::Future;

use super::{Context, FromEvent, Handler, Needs};
use crate::event::Event;
use crate::fail::Fail;

/// The arguments of a handler: an [`Event`] first, then up to eight [`FromEvent`]s.
#[diagnostic::on_unimplemented(
    message = "`{Self}` are not the arguments of a handler",
    note = "the event comes first, then what the handler needs: `Meta`, `State<T>`, `Publisher`, \
            `CloudEvent`, `Record`"
)]
pub trait HandlerArgs: Sized + Send + 'static {
    /// What the handler takes.
    type Event: Event;

    /// How many of the arguments want the event for themselves; more than one is refused.
    const EXCLUSIVE: usize;

    /// Tells the service at its start what these arguments will ask for.
    fn needs(needs: &mut Needs);

    /// Makes the arguments for one attempt.
    fn from_context(cx: &mut Context) -> impl Future<Output = Result<Self, Fail>> + Send;
}

macro_rules! handler_of {
    ($($arg:ident),*) => {
        // The bounds on the types sit on `Service::on`: there the compiler names the argument at
        // fault instead of saying that the function is no handler.
        #[allow(non_snake_case)]
        impl<F, Fut, E, $($arg),*> Handler<(E, $($arg,)*)> for F
        where
            F: Fn(E, $($arg),*) -> Fut + Send + Sync + 'static,
        {
            type Future = Fut;

            fn call(&self, (event, $($arg,)*): (E, $($arg,)*)) -> Fut {
                self(event, $($arg),*)
            }
        }

        impl<E: Event, $($arg: FromEvent),*> HandlerArgs for (E, $($arg,)*) {
            type Event = E;
            const EXCLUSIVE: usize = 0 $(+ $arg::EXCLUSIVE as usize)*;

            fn needs(_needs: &mut Needs) {
                $($arg::needs(_needs);)*
            }

            async fn from_context(cx: &mut Context) -> Result<Self, Fail> {
                let event = cx.decode::<E>()?;
                Ok((event, $($arg::from_event(cx).await?,)*))
            }
        }
    };
}

handler_of!();
handler_of!(A);
handler_of!(A, B);
handler_of!(A, B, C);
handler_of!(A, B, C, D);
handler_of!(A, B, C, D, G);
handler_of!(A, B, C, D, G, H);
handler_of!(A, B, C, D, G, H, I);
handler_of!(A, B, C, D, G, H, I, J);
